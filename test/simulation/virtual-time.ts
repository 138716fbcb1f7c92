/** Time that passes when it is told to: the clocks, the timers and the chance of this process, until they are given back. */
import { syncBuiltinESMExports } from 'node:module'
import delays from 'node:timers/promises'

const real = {
  setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, now: Date.now, random: Math.random, delay: delays.setTimeout
}

// Beyond so many turns in a row somebody goes round in circles.
const MAX_TURNS = 100_000

const FIRST_MOMENT = 1_000

class Timer {
  at: number
  readonly fire: () => void
  readonly ms: number
  readonly repeats: boolean
  readonly #time: VirtualTime

  constructor (time: VirtualTime, fire: () => void, ms: number, repeats: boolean) {
    this.#time = time
    this.fire = fire
    this.ms = Math.max(1, ms)
    this.repeats = repeats
    this.at = time.now + this.ms
  }

  ref (): this {
    return this
  }

  unref (): this {
    return this
  }

  hasRef (): boolean {
    return true
  }

  refresh (): this {
    this.at = this.#time.now + this.ms
    this.#time.timers.add(this)
    return this
  }
}

export class VirtualTime {
  /** ms, what `performance.now()` says. */
  now = FIRST_MOMENT
  readonly timers = new Set<Timer>()
  /** Grows with everything that happens, as far as it is known here. */
  activity = 0
  #immediates = 0
  #chance: number

  /** @param seed of all chance */
  constructor (seed: number) {
    this.#chance = seed >>> 0
    const makeTimer = (repeats: boolean) => (fire: (...args: unknown[]) => void, ms = 1, ...args: unknown[]) => {
      const timer = new Timer(this, () => { fire(...args) }, ms, repeats)
      this.timers.add(timer)
      return timer
    }
    const clear = (timer: unknown) => { timer instanceof Timer ? this.timers.delete(timer) : real.clearTimeout(timer as NodeJS.Timeout) }
    const immediate = (callback: (...args: unknown[]) => void, ...args: unknown[]) => {
      this.#immediates++
      this.activity++
      return real.setImmediate(() => {
        this.#immediates--
        callback(...args)
      })
    }
    Object.assign(globalThis, { setTimeout: makeTimer(false), setInterval: makeTimer(true), clearTimeout: clear, clearInterval: clear, setImmediate: immediate })
    Object.assign(delays, { setTimeout: this.#delay.bind(this) })
    syncBuiltinESMExports()
    Object.defineProperty(performance, 'now', { value: () => this.now, configurable: true })
    Date.now = () => Math.floor(performance.timeOrigin + this.now)
    Math.random = () => this.#random()
  }

  /** Gives everything back. */
  restore (): void {
    const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, now, random, delay } = real
    Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate })
    Object.assign(delays, { setTimeout: delay })
    syncBuiltinESMExports()
    delete (performance as { now?: unknown }).now
    Date.now = now
    Math.random = random
  }

  /** Until nothing happens any more unless time passes. */
  async settle (): Promise<void> {
    let turns = 0
    for (let quiet = 0; quiet < 2; turns++) {
      const { activity } = this
      await turn()
      quiet = this.#immediates === 0 && this.activity === activity ? quiet + 1 : 0
      if (turns > MAX_TURNS) throw new Error(`it does not come to rest within ${MAX_TURNS} turns`)
    }
  }

  /** Lets so many ms pass, one timer after the other, each with all that comes of it. */
  async advance (ms: number): Promise<void> {
    const end = this.now + ms
    for (let timer = this.#next(end), n = 1; timer !== undefined; timer = this.#next(end), n++) {
      this.now = timer.at
      const { activity } = this
      if (timer.repeats) timer.at += timer.ms
      else this.timers.delete(timer)
      timer.fire()
      if (this.activity !== activity) await this.settle()
      else if (n % 1_000 === 0) await turn()
    }
    this.now = end
  }

  /** Lets time pass until the promise has settled. */
  async await (promise: Promise<unknown>): Promise<void> {
    let isSettled = false
    const settled = promise.finally(() => { isSettled = true })
    for (;;) {
      await this.settle()
      if (isSettled) break
      const next = this.#next(Infinity)
      if (next === undefined) throw new Error('what is waited for will never be')
      await this.advance(next.at - this.now)
    }
    await settled
  }

  #next (end: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.timers) if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer
    return first
  }

  async #delay (ms: number, value: unknown, { signal }: { signal?: AbortSignal } = {}): Promise<unknown> {
    this.activity++
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.activity++
        resolve(value)
      }, ms)
      signal?.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(signal.reason)
      }, { once: true })
    })
  }

  // mulberry32
  #random (): number {
    this.#chance = (this.#chance + 0x6d2b79f5) | 0
    let t = Math.imul(this.#chance ^ (this.#chance >>> 15), 1 | this.#chance)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function turn (): Promise<void> {
  return new Promise((resolve) => { real.setImmediate(resolve) })
}
