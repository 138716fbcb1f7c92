/** The one timer of all connections: heartbeats, ages and write deadlines. */
import type { Settings } from '../options.ts'
import type { Connection } from './connection.ts'
import type { Registry } from './registry.ts'

// A pass over so many connections that all write takes about 5 ms; then the event loop has its turn.
const SLICE = 500

const MIN_PERIOD = 5
const MAX_PERIOD = 1_000

export class Clock {
  /** Heartbeats that were sent since the start, pings of WebSockets included. */
  heartbeats = 0
  readonly #registry: Registry
  readonly #now: () => number
  #period = MAX_PERIOD
  #timer: NodeJS.Timeout | null = null

  /** @param now the time in ms, monotonic */
  constructor (registry: Registry, now: () => number = () => performance.now()) {
    this.#registry = registry
    this.#now = now
  }

  /** Ticks finely enough for these settings, from now on. */
  cover ({ heartbeat, maxAge, writeTimeout, drain }: Readonly<Settings>): void {
    // A sweep sees up to one period late that bytes were written, and as much later that they are a heartbeat old.
    const wanted = [heartbeat / 4, maxAge / 16, writeTimeout / 4, drain / 4].filter((period) => period !== 0)
    this.#period = Math.max(MIN_PERIOD, Math.min(this.#period, ...wanted))
  }

  /**
   * Runs while there are connections. When this process was busy for long, what clients have taken meanwhile is seen only
   * after the timers of a turn: hence the look comes at its end, so that nobody is cut because we were asleep.
   */
  start (): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      const now = this.#now()
      setImmediate(() => { this.#tick(this.#registry[Symbol.iterator](), now) })
    }, this.#period).unref()
  }

  stop (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #tick (connections: Iterator<Connection>, now: number): void {
    for (let swept = 0; swept < SLICE; swept++) {
      const { done, value } = connections.next()
      if (done === true) {
        this.#timer = null
        if (this.#registry.size !== 0) this.start()
        return
      }
      value.sweep(now)
    }
    setImmediate(() => { this.#tick(connections, now) })
  }
}
