/** Long work, cut into slices: between two of them the event loop has its turn. */
import { setImmediate as nextTurn } from 'node:timers/promises'

// ms. A streaming server must not stand still for longer because somebody looks at it.
const SLICE = 4

/** Work that may rest wherever it yields. */
export type Work<Result> = Generator<void, Result>

export class Slices {
  #last: Promise<unknown> = Promise.resolve()

  /** Does it behind all that was given before: two at once would take two slices in one turn. */
  async run<Result> (work: Work<Result>): Promise<Result> {
    const done = this.#last.then(() => drive(work))
    this.#last = done.then(() => {}, () => {})   // who gave it is told, and nothing of it is kept
    return await done
  }
}

async function drive<Result> (work: Work<Result>): Promise<Result> {
  for (;;) {
    await nextTurn()
    const end = performance.now() + SLICE
    do {
      const { done, value } = work.next()
      if (done === true) return value
    } while (performance.now() < end)
  }
}
