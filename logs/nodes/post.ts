/** What a node sends: one batch at a time, in order; what has waited too long is not sent any more. */
import { PST_ERR_LOG } from '../../lib/errors.ts'
import { Queue } from '../../lib/topics/queue.ts'
import { inTime } from '../unavailable.ts'
import type { Parcel } from './exchange.ts'

interface Waiting extends Parcel {
  readonly until: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const BATCH = 100
const BATCH_CHARACTERS = 256 * 1024

// Of what waits, in characters.
const MAX_WAITING = 16 * 1024 * 1024

export class Post {
  readonly #post: (parcels: readonly Parcel[]) => Promise<void>
  readonly #timeout: number
  readonly #waiting = new Queue<Waiting>()
  #size = 0
  #running: Promise<void> | null = null

  /** @param timeout ms after which what waits is not sent any more, and what was sent may not have come */
  constructor (post: (parcels: readonly Parcel[]) => Promise<void>, timeout: number) {
    this.#post = post
    this.#timeout = timeout
  }

  /** Whether so much waits already that this would be refused. */
  get isFull (): boolean {
    return this.#size > MAX_WAITING
  }

  /** Rejects with PST_ERR_LOG. */
  send (to: string | null, text: string): Promise<void> {
    if (this.isFull) return Promise.reject(new PST_ERR_LOG('too much waits for it already'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ to, text, until: performance.now() + this.#timeout, resolve, reject })
      this.#size += text.length
      this.#running ??= this.#run()
    })
  }

  /** Resolves when nothing waits any more. */
  async empty (): Promise<void> {
    await this.#running
  }

  async #run (): Promise<void> {
    await Promise.resolve()   // what is sent in one go goes together
    while (this.#waiting.length !== 0) {
      const batch = this.#next()
      if (batch.length === 0) continue
      try {
        await inTime(this.#post(batch), this.#timeout)
        for (const { resolve } of batch) resolve()
      } catch (err) {
        for (const { reject } of batch) reject(err)
      }
    }
    this.#running = null
  }

  #next (): Waiting[] {
    const batch: Waiting[] = []
    const now = performance.now()
    for (let size = 0; this.#waiting.length !== 0 && batch.length < BATCH && size < BATCH_CHARACTERS;) {
      const one = this.#waiting.shift() as Waiting
      this.#size -= one.text.length
      if (one.until <= now) {
        one.reject(new PST_ERR_LOG(`no answer within ${this.#timeout} ms`))
        continue
      }
      size += one.text.length
      batch.push(one)
    }
    return batch
  }
}
