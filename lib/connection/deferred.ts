/** A promise that is settled from outside. Node has `Promise.withResolvers` only from version 22. */

export interface Deferred<Value> {
  readonly promise: Promise<Value>
  readonly settle: (value: Value) => void
}

export function defer<Value> (): Deferred<Value> {
  let settle: (value: Value) => void = () => {}
  const promise = new Promise<Value>((resolve) => { settle = resolve })
  return { promise, settle }
}
