/** A queue that can be read at any place: the oldest leaves, the newest comes, in constant time each. */

// Places of what has left are given back when they are as many, and more than the rest.
const WORTH_A_MOVE = 64

export class Queue<Item> {
  #items: Array<Item | undefined> = []
  #start = 0

  get length (): number {
    return this.#items.length - this.#start
  }

  get first (): Item | undefined {
    return this.#items[this.#start]
  }

  /** @param index from 0, the oldest, to `length - 1` */
  at (index: number): Item {
    return this.#items[this.#start + index] as Item
  }

  push (item: Item): void {
    this.#items.push(item)
  }

  shift (): Item | undefined {
    const { first } = this
    if (this.length === 0) return undefined
    this.#items[this.#start++] = undefined
    if (this.#start >= WORTH_A_MOVE && this.#start > this.length) {
      this.#items.splice(0, this.#start)
      this.#start = 0
    }
    return first
  }

  /** The index of the first item that is past the mark, `length` if none is; those past it come behind those that are not. */
  search (isPast: (item: Item) => boolean): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isPast(this.at(middle))) high = middle
      else low = middle + 1
    }
    return low
  }
}
