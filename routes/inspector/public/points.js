/** What was seen, point by point, over the last five minutes: what a restart of the server does not take along. */

export const KEPT = 300_000

export class Points {
  #points = []
  /** When the server was seen to have been restarted, ms since 1970. */
  restarts = []

  get all () {
    return this.#points
  }

  get last () {
    return this.#points.at(-1)
  }

  /** Those that are new, oldest first. */
  add (points) {
    const { at: newest = 0 } = this.last ?? {}
    for (const point of points) if (point.at > newest) this.#points.push(point)
    const oldest = (this.last?.at ?? 0) - KEPT
    this.#points = this.#points.filter(({ at }) => at >= oldest)
    this.restarts = this.restarts.filter((at) => at >= oldest)
  }
}
