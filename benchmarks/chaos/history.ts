/** What a client has seen, as short as it can be told: runs of numbers that follow each other, and what came between them. */

/** Numbers from the first to the last, or a word: of a gap, an error, an end. */
export type Step = readonly [first: number, last: number] | string

export class History {
  readonly #steps: Array<[number, number] | string> = []
  #highest = -1

  /** The greatest number that came; -1 before the first. */
  get highest (): number {
    return this.#highest
  }

  get steps (): readonly Step[] {
    return this.#steps
  }

  add (n: number): void {
    const step = this.#steps.at(-1)
    if (Array.isArray(step) && step[1] === n - 1) step[1] = n
    else this.#steps.push([n, n])
    this.#highest = Math.max(this.#highest, n)
  }

  note (word: string): void {
    this.#steps.push(word)
  }
}

export function numbersOf (steps: readonly Step[]): number[] {
  return steps.flatMap((step) => typeof step === 'string' ? [] : Array.from({ length: step[1] - step[0] + 1 }, (_, i) => step[0] + i))
}

export function wordsOf (steps: readonly Step[]): string[] {
  return steps.filter((step) => typeof step === 'string')
}
