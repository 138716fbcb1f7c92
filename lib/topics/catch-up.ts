/** Those who are behind in the log and can go on: all of them in turn, a slice of the event loop at a time. */
import type { Cursor } from './cursor.ts'
import { Queue } from './queue.ts'

// The event loop is left to others after so long, ms. To read the log for one and write it takes about 0.1 ms.
const SLICE = 3

const READ_CLOCK_EVERY = 4

export class CatchUp {
  readonly #waiting = new Queue<Cursor>()
  #isScheduled = false

  /** In a later turn, and after all who wait already, this one goes on. */
  add (cursor: Cursor): void {
    this.#waiting.push(cursor)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => { this.#run() })
  }

  #run (): void {
    const end = performance.now() + SLICE
    for (let left = this.#waiting.length, reached = 1; left !== 0; left--, reached++) {
      const cursor = this.#waiting.shift() as Cursor
      cursor.goOn()
      if (reached % READ_CLOCK_EVERY === 0 && performance.now() > end) break
    }
    this.#isScheduled = this.#waiting.length !== 0
    if (this.#isScheduled) setImmediate(() => { this.#run() })
  }
}
