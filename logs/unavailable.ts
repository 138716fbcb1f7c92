/** Errors of engines, as apps see them. */
import { PST_ERR_LOG } from '../lib/errors.ts'

export function unavailable (err: unknown): Error {
  const error = new PST_ERR_LOG(err instanceof Error ? err.message : String(err))
  error.cause = err
  return error
}

/** Fails after so many ms: a client may keep a command until its engine is there again. */
export function inTime<Value> (answer: Promise<Value>, ms: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { reject(new PST_ERR_LOG(`no answer within ${ms} ms`)) }, ms)
    answer.then(resolve, (err: unknown) => { reject(unavailable(err)) }).finally(() => { clearTimeout(timer) })
  })
}
