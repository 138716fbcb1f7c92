/** How often each of some things was. */
export class Tally {
  readonly #counts = new Map<string, number>()

  get total (): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** The most frequent one first. */
  get entries (): Array<[what: string, count: number]> {
    return [...this.#counts].sort(([, a], [, b]) => b - a)
  }

  add (what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }
}
