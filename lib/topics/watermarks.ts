/** Up to where each topic was trimmed, of those that were trimmed last. */

// Of at least so many topics it is known; of twice as many at most.
const KNOWN = 10_000

export class Watermarks {
  readonly #known: number
  // Two generations, of which the older is forgotten as a whole. To take single topics off the front of one Map costs three
  // times what an append does: the places of those that have gone are passed over each time (2026-11).
  #young = new Map<string, number>()
  #old = new Map<string, number>()
  #newest = 0
  #newestOld: number
  #newestForgotten: number

  /** @param since behind this offset nothing is missing of topics that were never trimmed */
  constructor (known: number = KNOWN, since = 0) {
    this.#known = known
    this.#newestForgotten = since
    this.#newestOld = since
  }

  /** The topic was trimmed up to this offset, greater than all before it. */
  set (topic: string, offset: number): void {
    if (this.#young.size >= this.#known && !this.#young.has(topic)) {
      this.#newestForgotten = this.#newestOld
      this.#newestOld = this.#newest
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(topic, offset)
    this.#newest = offset
  }

  /**
   * Nothing of the topic is missing behind this offset; 0 if nothing ever was. All topics that are not known share the
   * highest offset that was forgotten: a client of theirs that is older may be told of a gap that there is not, and never
   * the other way round.
   */
  of (topic: string): number {
    return this.#young.get(topic) ?? this.#old.get(topic) ?? this.#newestForgotten
  }
}
