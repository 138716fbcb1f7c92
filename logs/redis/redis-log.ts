/** The log in a stream of Redis: one for all topics, in the order that Redis gives. */
import { PST_ERR_LOG } from '../../lib/errors.ts'
import { type Draft, Record } from '../../lib/topics/record.ts'
import type { Retention } from '../../lib/topics/retained.ts'
import type { Block } from '../blocks.ts'
import { MirroredLog } from '../mirrored-log.ts'
import { RemoteNodes } from '../nodes/remote-nodes.ts'
import { Tail } from '../tail.ts'
import { inTime, unavailable } from '../unavailable.ts'
import { Appender, makeEpoch, type Names } from './appender.ts'
import { decode, type Entry } from './entry.ts'
import { type Line, run } from './line.ts'
import { idOf, MAX_SEQUENCE, offsetOf, offsetUpTo } from './place.ts'
import { RedisExchange } from './redis-exchange.ts'
import { LOOK } from './scripts.ts'

export interface Settings {
  readonly names: Names
  readonly events: number
  readonly age: number
  readonly timeout: number
  readonly nodeTimeout: number
  readonly mirror: Retention
}

type Reply = readonly Entry[]
type Look = readonly [epoch: string, newest: string, added: number, length: number, oldest: string]

// So many entries are asked for at once, and fewer where they are large: about so many bytes.
const MAX_ENTRIES = 500
const MIN_ENTRIES = 10
const BLOCK_BYTES = 512 * 1024

// Redis trims about so many at once.
const LOOK_EVERY = 100

export class RedisLog extends MirroredLog {
  readonly nodes: RemoteNodes<Line>
  readonly #line: Line
  readonly #settings: Settings
  readonly #appender: Appender
  // The id of the entry that was heard last, and how many there were in all up to that.
  #heard = ''
  #added = 0
  // At how many it was looked what is trimmed; that is done again after so many.
  #looked = 0
  readonly #lookEvery: number
  // What an event takes, in bytes: a moving average.
  #size = 200

  private constructor (line: Line, settings: Settings) {
    super(settings.mirror, settings.timeout)
    this.#line = line
    this.#settings = settings
    this.#appender = new Appender(line, settings.names, settings.events, settings.age, settings.timeout)
    this.#lookEvery = Math.max(LOOK_EVERY, settings.events / LOOK_EVERY)
    const { names: { prefix }, nodeTimeout: ttl, timeout } = settings
    this.nodes = new RemoteNodes({ ttl, timeout }, (id) => new RedisExchange(line, prefix, id, ttl), () => RedisExchange.isUsed(line, prefix))
  }

  /**
   * Finds out where the log is, and reads the newest part of it.
   * @throws PST_ERR_LOG
   */
  static async open (line: Line, settings: Settings): Promise<RedisLog> {
    const log = new RedisLog(line, settings)
    await log.#begin()
    return log
  }

  override append (draft: Draft): Promise<string> {
    return this.#appender.append(draft)
  }

  async #begin (): Promise<void> {
    const { names, timeout } = this.#settings
    const place = await inTime(this.#look(this.#line), timeout)
    const [epoch, newest, added] = place
    const { events } = this.#settings.mirror
    const found: Entry[] = []
    while (found.length < events) {
      const from = found.length === 0 ? newest : `(${(found.at(-1) as Entry)[0]}`
      const count = Math.min(MAX_ENTRIES, events - found.length)
      const entries = entriesOf(await inTime(this.#line.send('XREVRANGE', names.stream, from, '-', 'COUNT', String(count)), timeout))
      found.push(...entries)
      if (entries.length < count) break
    }
    const trimmed = trimmedOf(place)
    this.mirror.trim(trimmed)
    this.mirror.begin(epoch, found.length < events ? trimmed : offsetUpTo((found.at(-1) as Entry)[0]) - 1)
    this.#take(found.reverse())
    this.#heard = newest
    this.#looked = this.#added = added
    this.mirror.skipTo(offsetUpTo(newest))
  }

  protected override listen (): Tail<Line, Look, [Reply, string | null]> {
    return new Tail({
      open: (signal) => this.#line.open(signal),
      look: (line) => this.#look(line),
      found: (place) => { this.#found(place) },
      hear: (line, ms) => this.#hear(line, ms),
      heard: ([entries, epoch]) => {
        if (epoch !== this.epoch) return true
        this.#take(entries)
        return this.#added - this.#looked >= this.#lookEvery
      },
      failed: (err) => { this.mirror.fail(unavailable(err)) },
      recovered: () => { this.mirror.recover() }
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
    return await run(line, LOOK, [stream, epoch, runKey], [makeEpoch(), this.epoch, this.#heard, String(this.#added)]) as Look
  }

  // What was trimmed before it was heard is lost here, and what was heard in another life everywhere.
  #found (place: Look): void {
    const [epoch, newest, added, length] = place
    if (epoch === this.epoch && added - length <= this.#added) {
      this.mirror.trim(trimmedOf(place))
    } else {
      this.#heard = newest
      this.#added = added
      this.mirror.lose(epoch, offsetUpTo(newest), trimmedOf(place))
    }
    this.#looked = this.#added
  }

  #take (entries: Reply): void {
    const { records, lostThrough } = this.#recordsOf(entries)
    this.#heard = entries.at(-1)?.[0] ?? this.#heard
    this.#added += entries.length
    this.mirror.take(records)
    if (lostThrough !== 0) this.mirror.lose(this.epoch, lostThrough, lostThrough)
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
        const record = new Record(this.epoch, offset, draft)
        records.push(record)
        this.#size += (record.weight - this.#size) / 16
      } catch (err) {
        this.mirror.refuse(err, id)
      }
    }
    return { records, lostThrough }
  }

  protected override async fetch (after: number): Promise<Block> {
    const { head } = this
    const count = this.#count
    const { stream } = this.#settings.names
    const [reply, place] = await Promise.all([
      this.#line.send('XRANGE', stream, `(${idOf(after)}`, '+', 'COUNT', String(count)),
      this.#look(this.#line)
    ])
    const entries = entriesOf(reply)
    if (place[0] === this.epoch) this.mirror.trim(trimmedOf(place))
    const { records, lostThrough } = this.#recordsOf(entries)
    this.mirror.trim(lostThrough)
    const last = entries.at(-1)
    const through = last === undefined || entries.length < count ? head : Math.min(head, offsetUpTo(last[0]))
    return { after, through: Math.max(through, after + 1), records: records.filter(({ offset }) => offset <= through) }
  }

  get #count (): number {
    return Math.max(MIN_ENTRIES, Math.min(MAX_ENTRIES, Math.floor(BLOCK_BYTES / this.#size)))
  }
}

// Up to where nothing is there any more.
function trimmedOf ([, newest, added, length, oldest]: Look): number {
  if (length === added) return 0
  return oldest === '' ? offsetUpTo(newest) : offsetUpTo(oldest) - 1
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
