/** What is published while somebody looks: how much on each topic, and how fast. */
import type { Log } from '../../lib/topics/log.ts'
import type { Work } from './slices.ts'

export interface Rate {
  /** In a second. */
  readonly events: number
  readonly bytes: number
}

interface Flow { events: number, bytes: number, rate: Rate }

// A rate follows what is published with about this delay, ms: one event in three seconds shall not blink.
const INERTIA = 4_000

// What is slower than an event in a few minutes is forgotten.
const LEAST = 0.005

// The topics of which it is known; the rest is counted, and in no topic's rate.
const KNOWN = 20_000

export class Traffic {
  readonly #flows = new Map<string, Flow>()
  readonly #leave: () => void | Promise<void>
  #events = 0
  #bytes = 0

  constructor (log: Log) {
    this.#leave = log.follow(({ topic, size }) => {
      this.#events++
      this.#bytes += size
      const flow = this.#flows.get(topic)
      if (flow !== undefined) {
        flow.events++
        flow.bytes += size
      } else if (this.#flows.size < KNOWN) {
        this.#flows.set(topic, { events: 1, bytes: size, rate: { events: 0, bytes: 0 } })
      }
    })
  }

  /** What was published since the last time, on all topics; and every topic's rate is of now. */
  * measure (elapsed: number): Work<Rate> {
    const all = perSecond(this.#events, this.#bytes, elapsed)
    this.#events = this.#bytes = 0
    const share = 1 - Math.exp(-elapsed / INERTIA)
    for (const [topic, flow] of this.#flows) {
      const now = perSecond(flow.events, flow.bytes, elapsed)
      const { rate } = flow
      flow.rate = { events: rate.events + (now.events - rate.events) * share, bytes: rate.bytes + (now.bytes - rate.bytes) * share }
      flow.events = flow.bytes = 0
      if (flow.rate.events < LEAST) this.#flows.delete(topic)
      yield
    }
    return all
  }

  rate (topic: string): Rate | null {
    return this.#flows.get(topic)?.rate ?? null
  }

  topics (): Iterable<string> {
    return this.#flows.keys()
  }

  stop (): void {
    void this.#leave()
  }
}

export function perSecond (events: number, bytes: number, elapsed: number): Rate {
  return elapsed === 0 ? { events: 0, bytes: 0 } : { events: events * 1_000 / elapsed, bytes: bytes * 1_000 / elapsed }
}
