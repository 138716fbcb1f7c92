/** Loaded ahead of a program (`--import`), so that everything of it has this system clock, which jumps. What is monotonic goes on as it was. */

let shift = 0

const Real = Date

// A proxy: what is no `new Date()` and no `Date.now()` stays as it is, and so do instances.
globalThis.Date = new Proxy(Real, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  apply: () => new Real(now()).toString(),
  get: (target, name, receiver) => name === 'now' ? now : Reflect.get(target, name, receiver) as unknown
})

/** @param ms what it is ahead of the real one from now on */
export function shiftClock (ms: number): void {
  shift = ms
}

function now (): number {
  return Real.now() + shift
}
