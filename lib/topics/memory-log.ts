/** The log in this process's memory: the newest events, bounded by number, bytes and age. */
import { makeId } from '../connection/id.ts'
import { PST_ERR_OPTION } from '../errors.ts'
import { count, show } from '../options.ts'
import type { Batch, Log } from './log.ts'
import { merge, type Source } from './merge.ts'
import { Queue } from './queue.ts'
import { type Draft, Record } from './record.ts'
import { Watermarks } from './watermarks.ts'

export interface Retention {
  /** @default 10000 */
  events: number
  /** Of the events as they are sent. @default 4 MiB */
  bytes: number
  /** ms. @default 300000 */
  age: number
}

const DEFAULTS: Readonly<Retention> = { events: 10_000, bytes: 4 * 1024 * 1024, age: 300_000 }

interface Entry { record: Record, at: number }

export class MemoryLog implements Log {
  readonly epoch = makeId().slice(0, 8)
  readonly #retention: Readonly<Retention>
  readonly #now: () => number
  readonly #entries = new Queue<Entry>()
  readonly #byTopic = new Map<string, Queue<Record>>()
  readonly #byKey = new Map<string, Record>()
  readonly #watermarks = new Watermarks()
  #bytes = 0
  #head = 0
  readonly #followers = new Set<{ listener: (record: Record) => void }>()

  /**
   * @param now the time in ms, monotonic
   * @throws PST_ERR_OPTION
   */
  constructor (retention: Partial<Retention> = {}, now: () => number = () => performance.now()) {
    this.#retention = complete(retention)
    this.#now = now
  }

  get head (): number {
    return this.#head
  }

  follow (listener: (record: Record) => void): () => void {
    const follower = { listener }   // an object of its own, also for a listener that follows twice
    this.#followers.add(follower)
    return () => { this.#followers.delete(follower) }
  }

  append (draft: Draft): string {
    const now = this.#now()
    this.#trim(now)
    const known = draft.key === undefined ? undefined : this.#byKey.get(keyOf(draft.topic, draft.key))
    if (known !== undefined) return known.id
    const record = new Record(this.epoch, this.#head + 1, draft)
    this.#head = record.offset
    this.#entries.push({ record, at: now })
    this.#bytes += record.size
    this.#queueOf(record.topic).push(record)
    if (record.key !== undefined) this.#byKey.set(keyOf(record.topic, record.key), record)
    this.#trim(now)
    for (const { listener } of this.#followers) listener(record)
    return record.id
  }

  read (topics: Iterable<string>, after: number, limit: number): Batch | null {
    this.#trim(this.#now())
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

  isTrimmed (topics: Iterable<string>, after: number): boolean {
    this.#trim(this.#now())
    for (const topic of topics) if (this.#watermarks.of(topic) > after) return true
    return false
  }

  earliest (topics: Iterable<string>): number {
    this.#trim(this.#now())
    let offset = 0
    for (const topic of topics) offset = Math.max(offset, this.#watermarks.of(topic))
    return offset
  }

  #queueOf (topic: string): Queue<Record> {
    const known = this.#byTopic.get(topic)
    if (known !== undefined) return known
    const queue = new Queue<Record>()
    this.#byTopic.set(topic, queue)
    return queue
  }

  #trim (now: number): void {
    const { events, bytes, age } = this.#retention
    for (;;) {
      const oldest = this.#entries.first
      if (oldest === undefined) return
      if (this.#entries.length <= events && this.#bytes <= bytes && now - oldest.at <= age) return
      this.#entries.shift()
      this.#drop(oldest.record)
    }
  }

  #drop ({ topic, offset, size, key }: Record): void {
    this.#bytes -= size
    if (key !== undefined) this.#byKey.delete(keyOf(topic, key))
    const queue = this.#byTopic.get(topic) as Queue<Record>
    queue.shift()
    if (queue.length === 0) this.#byTopic.delete(topic)
    this.#watermarks.set(topic, offset)
  }
}

function complete (given: Partial<Retention>): Readonly<Retention> {
  if (typeof given !== 'object' || given === null) throw new PST_ERR_OPTION('retention', 'an object', show(given))
  const retention = { ...DEFAULTS }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw new PST_ERR_OPTION(name, `one of ${Object.keys(DEFAULTS).join(', ')}`, 'an unknown option')
    if (value === undefined) continue
    if (!count.holds(value)) throw new PST_ERR_OPTION(name, count.says, show(value))
    retention[name as keyof Retention] = value
  }
  return retention
}

function keyOf (topic: string, key: string): string {
  return `${topic}\n${key}`   // no topic has a line end
}
