/** The log in this process's memory: the newest events, bounded by number, bytes and age. */
import { LocalNodes } from '../cluster/local-nodes.ts'
import { makeId } from '../connection/id.ts'
import { PST_ERR_OPTION } from '../errors.ts'
import { count, show } from '../options.ts'
import type { Batch, Log, Stock } from './log.ts'
import { type Draft, Record } from './record.ts'
import { DEFAULTS, Retained, type Retention } from './retained.ts'

export class MemoryLog implements Log {
  readonly epoch = makeId().slice(0, 8)
  readonly nodes = new LocalNodes()
  readonly #retained: Retained
  readonly #byKey = new Map<string, Record>()
  readonly #now: () => number
  readonly #followers = new Set<{ listener: (record: Record) => void }>()

  /**
   * @param now the time in ms, monotonic
   * @throws PST_ERR_OPTION
   */
  constructor (retention: Partial<Retention> = {}, now: () => number = () => performance.now()) {
    this.#retained = new Retained(complete(retention), 0, ({ topic, key }) => {
      if (key !== undefined) this.#byKey.delete(keyOf(topic, key))
    })
    this.#now = now
  }

  get head (): number {
    return this.#retained.head
  }

  follow (listener: (record: Record) => void): () => void {
    const follower = { listener }   // an object of its own, also for a listener that follows twice
    this.#followers.add(follower)
    return () => { this.#followers.delete(follower) }
  }

  append (draft: Draft): string {
    const now = this.#now()
    this.#retained.trim(now)
    const known = draft.key === undefined ? undefined : this.#byKey.get(keyOf(draft.topic, draft.key))
    if (known !== undefined) return known.id
    const record = new Record(this.epoch, this.head + 1, draft)
    if (record.key !== undefined) this.#byKey.set(keyOf(record.topic, record.key), record)
    this.#retained.add(record, now)
    for (const { listener } of this.#followers) listener(record)
    return record.id
  }

  read (topics: Iterable<string>, after: number, limit: number): Batch | null {
    this.#retained.trim(this.#now())
    return this.#retained.read(topics, after, limit)
  }

  isTrimmed (topics: Iterable<string>, after: number): boolean {
    return this.earliest(topics) > after
  }

  get stock (): Stock {
    this.#retained.trim(this.#now())
    return this.#retained
  }

  earliest (topics: Iterable<string>): number {
    this.#retained.trim(this.#now())
    let offset = 0
    for (const topic of topics) offset = Math.max(offset, this.#retained.since(topic))
    return offset
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
