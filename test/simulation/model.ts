/** What should be: the log, who is connected, and what each connection has coming, in arrays and maps. */
import type { CloseReason, Retention } from '../../index.ts'
import type { FormatName } from './reading.ts'

export interface Settings {
  retention: Retention
  heartbeat: number
  heartbeatEvent: string | null
  /** Of the route `/aged`. */
  maxAge: number
  writeTimeout: number
  maxBuffered: number
  drain: number
  coalesce: number
  maxConnections: number
  maxConnectionsPerKey: number
  /** What the way to a client holds when it does not read, bytes. */
  capacity: number
  clients: number
  seed: number
}

export const ROUTES = ['/', '/aged', '/skip'] as const

export type Route = typeof ROUTES[number]

export const TOPICS = ['a', 'b', 'c', 'd'] as const

export interface Entry { offset: number, id: string, topic: string, data: string, except: string | undefined, size: number, at: number }

/** What a connection has coming: an event of a topic, a gap, or the position where it starts. */
export type Coming = { entry: Entry } | { gap: { reason: string, from: string | null, to: string } } | { position: string }

export interface Open {
  /** Which one it is of all that ever opened. */
  n: number
  client: number
  route: Route
  format: FormatName
  /** What the client said of where it was. */
  said: string | null
  topics: Set<string>
  /** When it was first subscribed to anything, ms; `Infinity`: it never was. */
  placedAt: number
  coming: Coming[]
  /** What the app sent to this connection alone. */
  direct: string[]
  /** Everything of its topics up to here was given. */
  offset: number
  openedAt: number
  /** By the app's word, ms. */
  expiresAt: number
  /** Why it ends, once that is decided. */
  ends: CloseReason | null
  endsAt: number
  hasClosed: boolean
}

export class ModelLog {
  readonly epoch: string
  readonly #retention: Retention
  /** What is retained. */
  entries: Entry[] = []
  head = 0
  #bytes = 0
  // Of each topic, the newest that is not retained any more.
  readonly #lost = new Map<string, number>()

  constructor (epoch: string, retention: Retention) {
    this.epoch = epoch
    this.#retention = retention
  }

  get bytes (): number {
    return this.#bytes
  }

  position (offset = this.head): string {
    return `${this.epoch}:${offset}`
  }

  append (topic: string, data: string, except: string | undefined, at: number): Entry {
    const offset = ++this.head
    const id = this.position(offset)
    const entry = { offset, id, topic, data, except, size: Buffer.byteLength(`id: ${id}\ndata: ${data}\n\n`) + (except?.length ?? 0), at }
    this.entries.push(entry)
    this.#bytes += entry.size
    this.trim(at)
    return entry
  }

  trim (now: number): void {
    const { events, bytes, age } = this.#retention
    for (;;) {
      const [oldest] = this.entries
      if (oldest === undefined || (this.entries.length <= events && this.#bytes <= bytes && now - oldest.at <= age)) return
      this.entries.shift()
      this.#bytes -= oldest.size
      this.#lost.set(oldest.topic, oldest.offset)
    }
  }

  /** Whether something of these topics behind the offset is not there any more. */
  hasLost (topics: Iterable<string>, offset: number): boolean {
    return [...topics].some((topic) => (this.#lost.get(topic) ?? 0) > offset)
  }

  behind (topics: ReadonlySet<string>, offset: number): Entry[] {
    return this.entries.filter((entry) => entry.offset > offset && topics.has(entry.topic))
  }
}

export class Model {
  readonly settings: Settings
  log: ModelLog
  /** In the order in which they opened; those that have closed are taken out. */
  open: Open[] = []
  /** Of each client, the one that it has. */
  readonly current = new Map<number, Open>()
  /** `client topic`: to what a client may not be subscribed. */
  readonly forbidden = new Set<string>()
  opened = 0
  counts: Partial<Record<CloseReason, number>> = {}

  constructor (settings: Settings) {
    this.settings = settings
    this.log = new ModelLog('', settings.retention)
  }

  may (client: number, topics: Iterable<string>): boolean {
    return [...topics].every((topic) => !this.forbidden.has(`${client} ${topic}`))
  }

  /** What a client that asks is answered. */
  answer (client: number, topics: readonly string[], format: FormatName): number {
    const { maxConnections, maxConnectionsPerKey } = this.settings
    if (this.open.length >= maxConnections) return 503
    if (this.open.filter((other) => keyOf(other.client) === keyOf(client)).length >= maxConnectionsPerKey) return 429
    if (!this.may(client, topics)) return 403
    return format === 'websocket' ? 101 : 200
  }

  connect (client: number, route: Route, format: FormatName, topics: readonly string[], said: string | null, now: number): Open {
    const open: Open = {
      n: this.opened++, client, route, format, said, topics: new Set(), placedAt: Infinity, coming: [], direct: [], offset: 0, openedAt: now, expiresAt: Infinity, ends: null, endsAt: Infinity, hasClosed: false
    }
    this.open.push(open)
    this.current.set(client, open)
    this.subscribe(open, topics, now)
    return open
  }

  /** From where the connection is, or at first from where the client was. */
  subscribe (open: Open, topics: readonly string[], now: number): void {
    const added = new Set(topics.filter((topic) => !open.topics.has(topic)))
    for (const topic of added) open.topics.add(topic)
    if (topics.length === 0) return
    if (open.placedAt === Infinity) this.#place(open, now)
    else this.#expect(open, this.log.behind(added, open.offset))
  }

  unsubscribe (open: Open, topics: readonly string[]): void {
    for (const topic of topics) open.topics.delete(topic)
    open.coming = open.coming.filter((coming) => !('entry' in coming) || open.topics.has(coming.entry.topic))
  }

  publish (topic: string, data: string, except: string | undefined, now: number): Entry {
    const entry = this.log.append(topic, data, except, now)
    for (const open of this.open) if (open.topics.has(topic) && open.ends === null) this.#expect(open, [entry])
    return entry
  }

  end (open: Open, reason: CloseReason, now: number): void {
    if (open.ends !== null) return
    open.ends = reason
    open.endsAt = now
  }

  closed (open: Open, reason: CloseReason): void {
    open.hasClosed = true
    this.open = this.open.filter((other) => other !== open)
    if (this.current.get(open.client) === open) this.current.delete(open.client)
    this.counts[reason] = (this.counts[reason] ?? 0) + 1
  }

  /** Another life of the server, with a log of its own. */
  begin (epoch: string): void {
    this.log = new ModelLog(epoch, this.settings.retention)
    this.counts = {}
  }

  #place (open: Open, now: number): void {
    const { log } = this
    log.trim(now)
    open.placedAt = now
    const place = open.said === null ? log.head : this.#locate(open.said)
    if (typeof place === 'string') {
      open.offset = log.head
      open.coming.push({ gap: { reason: place, from: place === 'malformed' ? null : open.said, to: log.position() } })
      return
    }
    open.offset = place
    if (open.format !== 'ndjson') open.coming.push({ position: log.position(place) })
    if (log.hasLost(open.topics, place)) {
      open.offset = log.head
      open.coming.push({ gap: { reason: 'trimmed', from: log.position(place), to: log.position() } })
    } else {
      this.#expect(open, log.behind(open.topics, place))
    }
  }

  #locate (said: string): number | 'malformed' | 'foreign' {
    const [epoch = '', digits = '', ...rest] = said.split(':')
    if (rest.length !== 0 || !/^[\w.-]{1,64}$/.test(epoch) || !/^(0|[1-9]\d{0,15})$/.test(digits)) return 'malformed'
    const offset = Number(digits)
    return epoch !== this.log.epoch || offset > this.log.head ? 'foreign' : offset
  }

  #expect (open: Open, entries: readonly Entry[]): void {
    open.coming.push(...entries.filter(({ except }) => except !== nameOf(open.client, open.format)).map((entry) => ({ entry })))
    open.coming.sort((a, b) => ('entry' in a ? a.entry.offset : 0) - ('entry' in b ? b.entry.offset : 0))
  }
}

export function keyOf (client: number): string {
  return `key ${client % 3}`
}

/** What its connection is called. A WebSocket gets its name after what it missed, so nobody is excepted by that here. */
export function nameOf (client: number, format?: FormatName): string {
  return format === 'websocket' ? `socket ${client}` : `client ${client}`
}
