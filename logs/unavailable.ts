/** Errors of engines, as apps see them. */
import { PST_ERR_LOG } from '../lib/errors.ts'

export function unavailable (err: unknown): Error {
  if (err instanceof PST_ERR_LOG) return err
  const error = new PST_ERR_LOG(reasonOf(err))
  error.cause = err
  return error
}

/** Fails after so many ms, and not earlier: a client may keep a command until its engine is there again. */
export function inTime<Value> (answer: Promise<Value>, ms: number): Promise<Value> {
  const until = performance.now() + ms
  return new Promise((resolve, reject) => {
    // A timer counts in whole milliseconds, so it may come up to one early.
    const check = () => {
      const left = until - performance.now()
      if (left > 0) timer = setTimeout(check, Math.ceil(left))
      else reject(new PST_ERR_LOG(`no answer within ${ms} ms`))
    }
    let timer = setTimeout(check, ms)
    answer.then(resolve, (err: unknown) => { reject(unavailable(err)) }).finally(() => { clearTimeout(timer) })
  })
}

// Where several things have failed, such as all addresses of a name, the error may say nothing of that itself.
function reasonOf (err: unknown): string {
  if (!(err instanceof Error)) return String(err)
  const { errors = [] } = err as { errors?: unknown[] }
  return [err.message, errors.map(reasonOf).join(', ')].filter((text) => text !== '').join(': ') || err.constructor.name
}
