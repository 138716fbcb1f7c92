/** Callbacks that are sync or async, without a promise where none is needed. */
import { isThenable } from '../lib/thenable.ts'

/**
 * Calls `next` with what `first` answers, or resolves with, and `failed` with what either throws, or rejects with.
 * @returns a promise if there is anything to wait for
 */
export function chain<Value> (first: () => Value | PromiseLike<Value>, next: (value: Value) => void | Promise<void>, failed: (err: unknown) => void): void | Promise<void> {
  try {
    const value = first()
    if (isThenable(value)) return Promise.resolve(value as PromiseLike<Value>).then(next).catch(failed)
    const result = next(value)
    if (result instanceof Promise) return result.catch(failed)
  } catch (err) {
    failed(err)
  }
}
