/** Where a tab is, and where it has been: the ids of the last events and positions that it was given. */

const KEPT = 1_000

export class Passed {
  /** Undefined while it is nowhere. */
  last: string | undefined
  readonly #ids = new Set<string>()

  /** @param id undefined leaves it where it is */
  add (id: string | undefined): void {
    if (id === undefined) return
    this.last = id
    this.#ids.delete(id)
    this.#ids.add(id)
    if (this.#ids.size > KEPT) this.#ids.delete(this.#ids.values().next().value as string)
  }

  /** @param id undefined, which nobody can ask for: true */
  has (id: string | undefined): boolean {
    return id === undefined || this.#ids.has(id)
  }
}
