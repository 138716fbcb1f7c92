/** How long to wait before the server is asked again: twice as long with each failure, with full jitter. */
import { refused } from './errors.ts'
import type { RetryOptions } from './types.ts'

// A server may tell a delay of 0: for the first time only.
const LEAST = 100

// The longest that a timer can hold, ms: one that is told more is over at once.
export const MOST = 2 ** 31 - 1

export class Backoff {
  /** The bound of the first delay, ms. The server may set it. */
  delay: number
  readonly #maxDelay: number
  readonly #attempts: number
  #failures = 0

  /** @throws StreamError PST_ERR_OPTION */
  constructor ({ delay = 1_000, maxDelay = 30_000, attempts = Infinity }: RetryOptions) {
    // A timer takes what is no number for 1 ms.
    if (!(Math.min(delay, maxDelay, attempts) >= 0)) throw refused('retry', 'a time in ms')
    this.delay = delay
    this.#maxDelay = maxDelay
    this.#attempts = attempts
  }

  /**
   * The time until the next attempt, ms; undefined if there is to be none.
   * @param lasted how long the stream was open, ms
   * @param atLeast what the server asked for, ms
   */
  next (lasted: number, atLeast = 0): number | undefined {
    if (lasted > this.#bound()) this.#failures = 0   // one that opens and ends at once is no success
    if (this.#failures >= this.#attempts) return undefined
    const delay = Math.random() * this.#bound()
    this.#failures++
    return Math.min(Math.round(atLeast + delay), MOST)
  }

  #bound (): number {
    if (this.#failures === 0) return this.delay
    return Math.min(Math.max(this.delay, LEAST) * 2 ** this.#failures, Math.max(this.#maxDelay, this.delay))
  }
}
