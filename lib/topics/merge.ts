/** Many queues of records read as one, in the order of the log. */
import type { Queue } from './queue.ts'
import type { Record } from './record.ts'

/** A place in a queue. */
export interface Source {
  readonly queue: Queue<Record>
  index: number
  /** Of the record that is there. */
  offset: number
}

/**
 * The first records from these places on: as many as pass `limit` bytes, at least one if there is one. What remains has
 * its place in `sources`, in no order.
 */
export function merge (sources: Source[], limit: number): Record[] {
  for (let i = (sources.length >>> 1) - 1; i >= 0; i--) sink(sources, i)
  const records: Record[] = []
  let size = 0
  do {
    const [first] = sources
    if (first === undefined) break
    const record = first.queue.at(first.index)
    records.push(record)
    size += record.size
    advance(sources, first)
  } while (size < limit)
  return records
}

// Steps over what the first source gave, and finds the next one to give.
function advance (heap: Source[], first: Source): void {
  if (++first.index < first.queue.length) {
    first.offset = first.queue.at(first.index).offset
  } else {
    const last = heap.pop() as Source
    if (last === first) return
    heap[0] = last
  }
  sink(heap, 0)
}

// A binary heap, least offset first: moves one down to where it belongs.
function sink (heap: Source[], index: number): void {
  const source = heap[index] as Source
  for (;;) {
    let child = 2 * index + 1
    if (child + 1 < heap.length && (heap[child + 1] as Source).offset < (heap[child] as Source).offset) child++
    if (child >= heap.length || (heap[child] as Source).offset > source.offset) break
    heap[index] = heap[child] as Source
    index = child
  }
  heap[index] = source
}
