/** How long something takes, of many times. */
import { createHistogram } from 'node:perf_hooks'

/** ms */
export interface Times { p50: number, p99: number }

const NS = 1e6

export class Stopwatch {
  readonly #histogram = createHistogram()

  async time (task: () => Promise<unknown>): Promise<void> {
    const began = process.hrtime.bigint()
    await task()
    this.#histogram.record(Math.max(1, Number(process.hrtime.bigint() - began)))
  }

  get times (): Times {
    return { p50: this.#histogram.percentile(50) / NS, p99: this.#histogram.percentile(99) / NS }
  }

  reset (): void {
    this.#histogram.reset()
  }
}
