/** Where a record is: its id in a stream of Redis, `ms-seq`, and its offset in the log, one safe integer. */

// 2024-01-01. With 12 bits for the sequence number there is room until 2093.
const BASE = Date.UTC(2024, 0, 1)
const PER_MS = 4096

/** The highest sequence number within a millisecond that has an offset. */
export const MAX_SEQUENCE = PER_MS - 1

/** The offset of what was appended under this id; null where it has none: before 2024, or as more than the 4096th within a millisecond. */
export function offsetOf (id: string): number | null {
  const [ms, sequence] = split(id)
  const offset = (ms - BASE) * PER_MS + sequence
  return sequence <= MAX_SEQUENCE && offset > 0 && Number.isSafeInteger(offset) ? offset : null
}

/** The offset that is not less than those of all ids up to this one. */
export function offsetUpTo (id: string): number {
  const [ms, sequence] = split(id)
  return Math.max(0, (ms - BASE) * PER_MS + Math.min(sequence, MAX_SEQUENCE))
}

export function idOf (offset: number): string {
  return `${BASE + Math.floor(offset / PER_MS)}-${offset % PER_MS}`
}

function split (id: string): [ms: number, sequence: number] {
  const dash = id.indexOf('-')
  return [Number(id.slice(0, dash)), Number(id.slice(dash + 1))]
}
