/** Events that wait for who iterates. */
export class Queue<Item> {
  readonly #limit: number
  readonly #items: Item[] = []
  #takers: Array<{ resolve: (result: IteratorResult<Item, undefined>) => void, reject: (error: unknown) => void }> = []
  #wake = () => {}
  #end: { error: unknown } | null = null

  constructor (limit: number) {
    this.#limit = limit
  }

  get isFull (): boolean {
    return this.#items.length >= this.#limit
  }

  push (item: Item): void {
    const taker = this.#takers.shift()
    if (taker === undefined) this.#items.push(item)
    else taker.resolve({ done: false, value: item })
  }

  /** The next one; rejects once with the error of the end, if it has one. */
  async next (): Promise<IteratorResult<Item, undefined>> {
    if (this.#items.length > 0) return { done: false, value: this.take() as Item }
    if (this.#end === null) return await new Promise((resolve, reject) => { this.#takers.push({ resolve, reject }) })
    const { error } = this.#end
    this.#end = { error: undefined }
    if (error !== undefined) throw error
    return { done: true, value: undefined }
  }

  /** The first that waits, out of the queue. */
  take (): Item | undefined {
    const item = this.#items.shift()
    this.whenRoom(this.#wake)
    return item
  }

  /** Calls back as soon as there is room. One at a time. */
  whenRoom (wake: () => void): void {
    this.#wake = wake
    if (!this.isFull) wake()
  }

  /** Nothing more comes. What waits can still be taken. */
  end (error: unknown): void {
    this.#end = { error }
    const takers = this.#takers
    this.#takers = []
    for (const { resolve, reject } of takers) {
      if (error === undefined || this.#end.error === undefined) resolve({ done: true, value: undefined })
      else reject(error)
      this.#end = { error: undefined }
    }
  }
}
