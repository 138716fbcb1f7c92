/** Rows of a snapshot as somebody wants to see them: those that match, in the order that was asked for, each view made once. */
import type { Work } from './slices.ts'

export interface Order<Row> {
  readonly name: string
  readonly isDescending: boolean
  readonly compare: (one: Row, other: Row) => number
}

/** Whether a row has this word, which is in lower case. */
export type Has<Row> = (row: Row, word: string) => boolean

// So many are kept, until the next snapshot.
const KEPT = 16

// So many are sorted at once: about 0.1 ms (2026-11).
const RUN = 256

export class Views<Row> {
  readonly #rows: readonly Row[]
  readonly #known = new Map<string, readonly Row[]>()

  constructor (rows: readonly Row[]) {
    this.#rows = rows
  }

  get size (): number {
    return this.#rows.length
  }

  /** @param search words that a row must have, all of them */
  * view (search: string, has: Has<Row>, order: Order<Row>): Work<readonly Row[]> {
    const words = search.toLowerCase().split(/\s+/).filter((word) => word !== '')
    const key = JSON.stringify([words, order.name, order.isDescending])
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const found: Row[] = []
    for (const row of this.#rows) {
      if (words.every((word) => has(row, word))) found.push(row)
      yield
    }
    const sign = order.isDescending ? -1 : 1
    const sorted = yield * sort(found, (one, other) => sign * order.compare(one, other))
    if (this.#known.size === KEPT) this.#known.delete(this.#known.keys().next().value as string)
    this.#known.set(key, sorted)
    return sorted
  }
}

// Array.sort of ten thousand rows holds the event loop for longer than a slice. Stable, like it.
function * sort<Row> (rows: Row[], compare: (one: Row, other: Row) => number): Work<Row[]> {
  let runs: Row[][] = []
  for (let start = 0; start < rows.length; start += RUN) {
    runs.push(rows.slice(start, start + RUN).sort(compare))
    yield
  }
  while (runs.length > 1) {
    const longer: Row[][] = []
    for (let i = 0; i < runs.length; i += 2) longer.push(yield * merge(runs[i] as Row[], runs[i + 1] ?? [], compare))
    runs = longer
  }
  return runs[0] ?? []
}

function * merge<Row> (one: readonly Row[], other: readonly Row[], compare: (one: Row, other: Row) => number): Work<Row[]> {
  const merged: Row[] = []
  let i = 0
  let j = 0
  while (i < one.length && j < other.length) {
    const [left, right] = [one[i] as Row, other[j] as Row]
    if (compare(left, right) <= 0) {
      merged.push(left)
      i++
    } else {
      merged.push(right)
      j++
    }
    if (merged.length % RUN === 0) yield
  }
  for (; i < one.length; i++) merged.push(one[i] as Row)
  for (; j < other.length; j++) merged.push(other[j] as Row)
  return merged
}
