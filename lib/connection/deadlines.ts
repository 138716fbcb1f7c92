/** What time does to a connection: it grows old, its client takes nothing, or nothing happens on it. */
import type { StreamSettings } from '../options.ts'
import type { Transport } from './transport.ts'

/** What is due: the end of its age, the cut of a client that takes nothing, a sign of life. */
export type Due = 'expired' | 'timeout' | 'heartbeat' | null

export class Deadlines {
  /** ms, like `performance.now()`. */
  expiresAt = Infinity
  /** Whether bytes were written since the last look. */
  wrote = false
  /** Whether the client was told its position since the last look. */
  told = false
  // When a look last saw that bytes were written, that the client was told, that some were taken, and how many these were.
  #activeAt = 0
  #toldAt = 0
  #movedAt = 0
  #taken = 0
  // Whether nothing waited then: what waits at the next look has for less time than since this one.
  #wasEmpty = true

  /** @param maxAge ms; 0: none. A share of it is random, so that clients that came together do not come back together. */
  start (now: number, maxAge: number): void {
    this.#activeAt = this.#toldAt = this.#movedAt = now
    if (maxAge !== 0) this.expiresAt = Math.min(this.expiresAt, now + maxAge * (0.75 + 0.25 * Math.random()))
  }

  /** From now on the client has a new deadline to take what is left. */
  startDraining (now: number): void {
    this.#movedAt = now
    this.#wasEmpty = false
  }

  /** For how long the client has taken nothing of what waits for it, ms. */
  stuckFor ({ queued, taken }: Transport, now: number): number {
    if (queued === 0 || this.#wasEmpty || taken !== this.#taken) {
      this.#taken = taken
      this.#movedAt = now
    }
    this.#wasEmpty = queued === 0
    return now - this.#movedAt
  }

  /** @param resumes whether the client may resume, so that it has to be told its position from time to time */
  due (now: number, stuckFor: number, resumes: boolean, { writeTimeout, heartbeat }: Readonly<StreamSettings>): Due {
    if (this.wrote) this.#activeAt = now
    if (this.told) this.#toldAt = now
    this.wrote = this.told = false
    if (writeTimeout !== 0 && stuckFor >= writeTimeout) return 'timeout'
    if (now >= this.expiresAt) return 'expired'
    const quietSince = resumes ? Math.min(this.#activeAt, this.#toldAt) : this.#activeAt
    return heartbeat !== 0 && now - quietSince >= heartbeat ? 'heartbeat' : null
  }
}
