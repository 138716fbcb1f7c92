/** The log in a stream of Redis: one for all topics, in the order that Redis gives; the newest part of it is kept here as well. */
import { PST_ERR_LOG } from '../../lib/errors.ts'
import type { Batch, Log, Watcher } from '../../lib/topics/log.ts'
import type { Position } from '../../lib/topics/position.ts'
import { type Draft, Record } from '../../lib/topics/record.ts'
import { Retained, type Retention } from '../../lib/topics/retained.ts'
import { type Block, Blocks } from '../blocks.ts'
import { Appender, makeEpoch, type Names } from './appender.ts'
import { decode, type Entry } from './entry.ts'
import { type Line, run } from './line.ts'
import { idOf, MAX_SEQUENCE, offsetOf, offsetUpTo } from './place.ts'
import { LOOK } from './scripts.ts'
import { Tail } from './tail.ts'

export interface Settings {
  readonly names: Names
  readonly events: number
  readonly age: number
  readonly timeout: number
  readonly mirror: Retention
}

type Reply = readonly Entry[]
type Look = readonly [epoch: string, newest: string, added: number, length: number, oldest: string]

interface Follower { readonly listener: (record: Record) => void, readonly watcher: Watcher | undefined }

// So many entries are asked for at once, and fewer where they are large: about so many bytes.
const MAX_ENTRIES = 500
const MIN_ENTRIES = 10
const BLOCK_BYTES = 512 * 1024

// Redis trims about so many at once.
const LOOK_EVERY = 100

// What others append by mistake is told of at most so often, ms.
const REFUSAL_EVERY = 60_000

export class RedisLog implements Log {
  readonly #line: Line
  readonly #settings: Settings
  readonly #appender: Appender
  readonly #blocks: Blocks
  readonly #followers = new Set<Follower>()
  #tail: Tail<Look, [Reply, string | null]> | null = null
  #mirror: Retained
  #epoch = ''
  #head = 0
  /** The id of the entry that was heard last, and how many there were in all up to that. */
  #heard = ''
  #added = 0
  // At how many it was looked what is trimmed; that is done again after so many.
  #looked = 0
  readonly #lookEvery: number
  /** Redis has nothing any more up to here. */
  #trimmed = 0
  /** Of an event as it is sent, in bytes: a moving average. */
  #size = 200
  #refused = -Infinity

  private constructor (line: Line, settings: Settings) {
    this.#line = line
    this.#settings = settings
    this.#appender = new Appender(line, settings.names, settings.events, settings.age, settings.timeout)
    this.#blocks = new Blocks((after) => this.#fetch(after))
    this.#mirror = new Retained(settings.mirror)
    this.#lookEvery = Math.max(LOOK_EVERY, settings.events / LOOK_EVERY)
  }

  /**
   * Finds out where the log is, and reads the newest part of it.
   * @throws what Redis says
   */
  static async open (line: Line, settings: Settings): Promise<RedisLog> {
    const log = new RedisLog(line, settings)
    await log.#begin()
    return log
  }

  get epoch (): string {
    return this.#epoch
  }

  get head (): number {
    return this.#head
  }

  follow (listener: (record: Record) => void, watcher?: Watcher): () => Promise<void> {
    const follower = { listener, watcher }
    this.#followers.add(follower)
    this.#tail ??= this.#listen()
    return async () => {
      this.#followers.delete(follower)
      if (this.#followers.size !== 0) return
      const tail = this.#tail
      this.#tail = null
      await tail?.stop()
    }
  }

  append (draft: Draft): Promise<string> {
    return this.#appender.append(draft)
  }

  read (topics: Iterable<string>, after: number, limit: number): Batch | null | Promise<Batch | null> {
    const names = [...topics]
    this.#mirror.trim(performance.now())
    return this.#mirror.read(names, after, limit) ?? this.#readOlder(names, after, limit)
  }

  isTrimmed (topics: Iterable<string>, after: number): boolean {
    return this.earliest(topics) > after
  }

  earliest (topics: Iterable<string>): number {
    let offset = 0
    // What is not here may be in Redis, as far as that reaches.
    for (const topic of topics) offset = Math.max(offset, Math.min(this.#mirror.since(topic), this.#trimmed))
    return offset
  }

  async #begin (): Promise<void> {
    const place = await this.#look(this.#line)
    const [epoch, newest, added] = place
    const { events } = this.#settings.mirror
    const found: Entry[] = []
    while (found.length < events) {
      const from = found.length === 0 ? newest : `(${(found.at(-1) as Entry)[0]}`
      const count = Math.min(MAX_ENTRIES, events - found.length)
      const entries = entriesOf(await this.#line.send('XREVRANGE', this.#settings.names.stream, from, '-', 'COUNT', String(count)))
      found.push(...entries)
      if (entries.length < count) break
    }
    this.#know(place)
    this.#epoch = epoch
    const since = found.length < events ? this.#trimmed : offsetUpTo((found.at(-1) as Entry)[0]) - 1
    this.#mirror = new Retained(this.#settings.mirror, since)
    this.#take(found.reverse())
    this.#heard = newest
    this.#added = added
    this.#skipTo(offsetUpTo(newest))
  }

  #listen (): Tail<Look, [Reply, string | null]> {
    return new Tail(this.#line, {
      look: (line) => this.#look(line),
      found: (place) => { this.#found(place) },
      hear: (line, ms) => this.#hear(line, ms),
      heard: ([entries, epoch]) => {
        if (epoch !== this.#epoch) return true
        this.#take(entries)
        return this.#added - this.#looked >= this.#lookEvery
      },
      failed: (err) => { for (const { watcher } of this.#followers) watcher?.failed(unavailable(err)) },
      recovered: () => { for (const { watcher } of this.#followers) watcher?.recovered() }
    })
  }

  // Both are answered when the first is: as the epoch is then, it was while that waited.
  async #hear (line: Line, ms: number): Promise<[Reply, string | null]> {
    const { stream, epoch } = this.#settings.names
    const [reply, current] = await Promise.all([
      line.send('XREAD', 'COUNT', String(this.#count), 'BLOCK', String(ms), 'STREAMS', stream, this.#heard),
      line.send('GET', epoch)
    ])
    return [streamOf(reply), current as string | null]
  }

  async #look (line: Line): Promise<Look> {
    const { stream, epoch, run: runKey } = this.#settings.names
    return await run(line, LOOK, [stream, epoch, runKey], [makeEpoch(), this.#epoch, this.#heard, String(this.#added)]) as Look
  }

  // What was trimmed before it was heard is lost here, and what was heard in another life everywhere.
  #found (place: Look): void {
    const [epoch, newest, added, length] = place
    const isLost = epoch !== this.#epoch || added - length > this.#added
    this.#know(place)
    if (!isLost) return
    const last = { epoch: this.#epoch, offset: this.#head }
    this.#epoch = epoch
    this.#heard = newest
    this.#added = added
    this.#startAt(Math.max(this.#head, offsetUpTo(newest)), last)
  }

  #know ([epoch, newest, added, length, oldest]: Look): void {
    if (epoch !== this.#epoch) this.#trimmed = 0
    this.#looked = this.#added
    if (length === added) return
    this.#trimmed = Math.max(this.#trimmed, oldest === '' ? offsetUpTo(newest) : offsetUpTo(oldest) - 1)
  }

  #startAt (offset: number, last: Position): void {
    this.#mirror = new Retained(this.#settings.mirror, offset)
    this.#blocks.clear()
    this.#head = offset
    for (const { watcher } of this.#followers) watcher?.lost(last)
  }

  #skipTo (offset: number): void {
    this.#mirror.skipTo(offset)
    this.#head = Math.max(this.#head, offset)
  }

  #take (entries: Reply): void {
    const { records, lostThrough } = this.#recordsOf(entries)
    const now = performance.now()
    for (const record of records) {
      this.#head = record.offset
      this.#mirror.add(record, now)
      for (const { listener } of this.#followers) listener(record)
    }
    this.#heard = entries.at(-1)?.[0] ?? this.#heard
    this.#added += entries.length
    if (lostThrough === 0) return
    this.#trimmed = Math.max(this.#trimmed, lostThrough)
    this.#startAt(Math.max(this.#head, lostThrough), { epoch: this.#epoch, offset: this.#head })
  }

  // Those that have an offset; of the others, up to where.
  #recordsOf (entries: Reply): { records: Record[], lostThrough: number } {
    const records: Record[] = []
    let lostThrough = 0
    for (const [id, fields] of entries) {
      const offset = offsetOf(id)
      try {
        const draft = decode(fields)
        if (draft === null) continue
        if (offset === null) {
          lostThrough = offsetUpTo(id)
          throw new PST_ERR_LOG(`${id} can't be told apart: there are more than ${MAX_SEQUENCE + 1} entries in its millisecond`)
        }
        const record = new Record(this.#epoch, offset, draft)
        records.push(record)
        this.#size += (record.size - this.#size) / 16
      } catch (err) {
        this.#refuse(err)
      }
    }
    return { records, lostThrough }
  }

  #refuse (err: unknown): void {
    const now = performance.now()
    if (now - this.#refused < REFUSAL_EVERY) return
    this.#refused = now
    for (const { watcher } of this.#followers) watcher?.refused(err)
  }

  async #readOlder (topics: readonly string[], after: number, limit: number): Promise<Batch | null> {
    const wanted = new Set(topics)
    const records: Record[] = []
    let size = 0
    for (let through = after; ;) {
      if (this.isTrimmed(topics, after)) return null
      const rest = this.#mirror.read(topics, through, limit - size)
      if (rest !== null) return { records: [...records, ...rest.records], through: Math.max(through, rest.through) }
      const block = await this.#blocks.around(through)
      for (const record of block.records) {
        if (record.offset <= through || !wanted.has(record.topic)) continue
        records.push(record)
        size += record.size
        if (size >= limit) return this.isTrimmed(topics, after) ? null : { records, through: record.offset }
      }
      through = block.through
    }
  }

  async #fetch (after: number): Promise<Block> {
    const head = this.#head
    const count = this.#count
    const { stream } = this.#settings.names
    const [reply, place] = await this.#inTime(Promise.all([
      this.#line.send('XRANGE', stream, `(${idOf(after)}`, '+', 'COUNT', String(count)),
      this.#look(this.#line)
    ]))
    const entries = entriesOf(reply)
    if (place[0] === this.#epoch) this.#know(place)
    const { records, lostThrough } = this.#recordsOf(entries)
    this.#trimmed = Math.max(this.#trimmed, lostThrough)
    const last = entries.at(-1)
    const through = last === undefined || entries.length < count ? head : Math.min(head, offsetUpTo(last[0]))
    return { after, through: Math.max(through, after + 1), records: records.filter(({ offset }) => offset <= through) }
  }

  get #count (): number {
    return Math.max(MIN_ENTRIES, Math.min(MAX_ENTRIES, Math.floor(BLOCK_BYTES / this.#size)))
  }

  // A client may keep a command until Redis is there again.
  #inTime<Value> (answer: Promise<Value>): Promise<Value> {
    const { timeout } = this.#settings
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { reject(new PST_ERR_LOG(`no answer within ${timeout} ms`)) }, timeout)
      answer.then(resolve, (err: unknown) => { reject(unavailable(err)) }).finally(() => { clearTimeout(timer) })
    })
  }
}

function unavailable (err: unknown): Error {
  const error = new PST_ERR_LOG(err instanceof Error ? err.message : String(err))
  error.cause = err
  return error
}

// By XREAD's answer one stream, in RESP2 as a list of pairs, in RESP3 as a map; null: nothing came.
function streamOf (reply: unknown): Reply {
  if (reply === null) return []
  const found = Array.isArray(reply) ? reply[0] : [...reply instanceof Map ? reply : Object.entries(reply as object)][0]
  // A client may give a map as one flat list.
  return entriesOf(Array.isArray(found) ? found[1] : (reply as unknown[])[1])
}

function entriesOf (reply: unknown): Reply {
  return reply as Reply
}
