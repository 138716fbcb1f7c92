/** The points of one topic: those that are there, in the order of their numbers, and the stretches where there are none. */

// As long as the server keeps them, ms.
export const KEPT = 120_000

// Blanks that are remembered. All are counted.
const MAX_BLANKS = 50

export class Series {
  /** `{ n, run, from, at, …figures }`: each is of the time from `from` to `at`, which is where the next one begins. */
  points = []
  /**
   * `{ kind, from, to, missing, reason, next }`, where `kind` is
   * - `idle`: nobody watched, so there were no points
   * - `gap`: there are points that we have not, and the stream said so
   * - `lost`: there are points that we have not, and nobody said so
   * `missing` counts them, as far as the numbers tell; it is null if the server counts anew.
   */
  blanks = []
  /** How many there were of each kind. */
  counts = { idle: 0, gap: 0, lost: 0 }
  /** How many points came, how many of them again, and the number from which none is left out. */
  count = 0
  twice = 0
  first = null
  #gap = null

  /** The newest point. */
  get last () {
    return this.points.at(-1)
  }

  /** The stream says that it can't go on where it was. */
  announce (gap) {
    if (this.last !== undefined) this.#gap = gap
  }

  add (point) {
    const { last } = this
    if (last?.run === point.run && point.n <= last.n) {
      this.twice++
      return
    }
    this.first ??= point.n
    if (last !== undefined) this.#compare(last, point)
    this.#gap = null
    this.count++
    this.points.push(point)
    this.points = this.points.filter(({ at }) => at >= point.at - KEPT)
  }

  /** The point that is of this time, if there is one. */
  find (time) {
    return this.points.find(({ from, at }) => from < time && time <= at)
  }

  /** The blank behind the last point, if it is known that there is one. */
  trailing (now, isAway) {
    const { last } = this
    if (last === undefined || now <= last.at || (this.#gap === null && !isAway)) return null
    return { kind: this.#gap === null ? 'away' : 'gap', from: last.at, to: now }
  }

  #compare (last, point) {
    const missing = last.run === point.run ? point.n - last.n - 1 : null
    if (missing === 0 && point.from === last.at) return
    const kind = missing === 0 ? 'idle' : this.#gap === null ? 'lost' : 'gap'
    this.blanks = [...this.blanks, { kind, from: last.at, to: point.from, missing, reason: this.#gap?.reason, next: point.n }].slice(-MAX_BLANKS)
    this.counts[kind]++
    if (kind !== 'idle') this.first = point.n
  }
}
