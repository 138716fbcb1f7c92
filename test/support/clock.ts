/** A system clock that is set, in this process. */
import type { Test } from 'tap'

/** From now on `Date.now()` is so many ms ahead, until the test ends. */
export function setClock (t: Test, ahead: number): void {
  const real = Date.now
  t.teardown(() => { Date.now = real })
  Date.now = () => real() + ahead
}
