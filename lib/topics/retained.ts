/** The newest records of a log, in memory: bounded by number, bytes and age, and found by topic. */
import type { Batch, Stock } from './log.ts'
import { merge, type Source } from './merge.ts'
import { Queue } from './queue.ts'
import type { Record } from './record.ts'
import { Watermarks } from './watermarks.ts'

/** How much a log in memory retains: up to the first of these bounds. */
export interface Retention {
  /** @default 10000 */
  events: number
  /** Of the events as they are sent, with their `key` and `except`. @default 4 MiB */
  bytes: number
  /** ms. @default 300000 */
  age: number
}

export const DEFAULTS: Readonly<Retention> = { events: 10_000, bytes: 4 * 1024 * 1024, age: 300_000 }

interface Entry { record: Record, at: number }

export class Retained implements Stock {
  readonly #retention: Readonly<Retention>
  readonly #dropped: (record: Record) => void
  readonly #entries = new Queue<Entry>()
  readonly #byTopic = new Map<string, Queue<Record>>()
  readonly #watermarks: Watermarks
  #bytes = 0
  #head: number

  /**
   * @param since what was appended up to this offset is not here
   * @param dropped is called with each record that goes
   */
  constructor (retention: Readonly<Retention>, since = 0, dropped: (record: Record) => void = () => {}) {
    this.#retention = retention
    this.#head = since
    this.#dropped = dropped
    this.#watermarks = new Watermarks(undefined, since)
  }

  /** The offset of the newest record that was added. */
  get head (): number {
    return this.#head
  }

  get events (): number {
    return this.#entries.length
  }

  get bytes (): number {
    return this.#bytes
  }

  get byTopic (): Iterable<[topic: string, events: number]> {
    return lengths(this.#byTopic)
  }

  /** Adds the log's next record. */
  add (record: Record, now: number): void {
    this.#head = record.offset
    this.#entries.push({ record, at: now })
    this.#bytes += record.weight
    this.#queueOf(record.topic).push(record)
    this.trim(now)
  }

  /** There is nothing up to this offset but what was added. */
  skipTo (offset: number): void {
    this.#head = Math.max(this.#head, offset)
  }

  /** As `Log.read`. */
  read (topics: Iterable<string>, after: number, limit: number): Batch | null {
    const sources: Source[] = []
    for (const topic of topics) {
      if (this.#watermarks.of(topic) > after) return null
      const queue = this.#byTopic.get(topic)
      if (queue === undefined) continue
      const index = queue.search(({ offset }) => offset > after)
      if (index < queue.length) sources.push({ queue, index, offset: queue.at(index).offset })
    }
    const records = merge(sources, limit)
    return { records, through: sources.length === 0 ? this.#head : (records.at(-1) as Record).offset }
  }

  /** Nothing of the topic is missing behind this offset. */
  since (topic: string): number {
    return this.#watermarks.of(topic)
  }

  trim (now: number): void {
    const { events, bytes, age } = this.#retention
    for (;;) {
      const oldest = this.#entries.first
      if (oldest === undefined) return
      if (this.#entries.length <= events && this.#bytes <= bytes && now - oldest.at <= age) return
      this.#entries.shift()
      this.#drop(oldest.record)
    }
  }

  #queueOf (topic: string): Queue<Record> {
    const known = this.#byTopic.get(topic)
    if (known !== undefined) return known
    const queue = new Queue<Record>()
    this.#byTopic.set(topic, queue)
    return queue
  }

  #drop (record: Record): void {
    const { topic, offset, weight } = record
    this.#bytes -= weight
    const queue = this.#byTopic.get(topic) as Queue<Record>
    queue.shift()
    if (queue.length === 0) this.#byTopic.delete(topic)
    this.#watermarks.set(topic, offset)
    this.#dropped(record)
  }
}

function * lengths (queues: ReadonlyMap<string, Queue<Record>>): IterableIterator<[topic: string, events: number]> {
  for (const [topic, { length }] of queues) yield [topic, length]
}
