/** How late the event loop is, while somebody looks. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

export interface Delay {
  /** ms, as a rule. */
  readonly usual: number
  /** ms, at worst. */
  readonly worst: number
}

// Between two looks at the event loop, ms. The histograms count them as delay.
const RESOLUTION = 10

export class LoopDelay {
  // A histogram is blind from a reset to its next look, and a block may just be there. So there are two, which are reset by
  // turns: each covers two periods, and what one misses is in the other.
  #fresh = monitorEventLoopDelay({ resolution: RESOLUTION })
  #full = monitorEventLoopDelay({ resolution: RESOLUTION })

  constructor () {
    this.#fresh.enable()
    this.#full.enable()
  }

  read (): Delay {
    const full = this.#full
    const [usual, worst] = [full.percentile(50), full.max].map((ns) => Math.max(0, ns / 1e6 - RESOLUTION)) as [number, number]
    full.reset()
    this.#full = this.#fresh
    this.#fresh = full
    return { usual, worst }
  }

  stop (): void {
    this.#fresh.disable()
    this.#full.disable()
  }
}
