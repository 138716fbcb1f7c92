/** `fastify.topics`: publish once, and every connection that is subscribed gets it, in order, also what it missed. */
import { EventEmitter } from 'node:events'
import type { Connection } from '../connection/connection.ts'
import type { Log as Logger } from '../connection/host.ts'
import { delivered, published } from '../diagnostics.ts'
import { PST_ERR_ARGUMENT, PST_ERR_POSITION, PST_ERR_TOPIC } from '../errors.ts'
import { tell } from '../tell.ts'
import { CatchUp } from './catch-up.ts'
import { Cursor, type Feed } from './cursor.ts'
import { Directory } from './directory.ts'
import { checkTopic, draftOf, type PublishOptions } from './draft.ts'
import { FanOut } from './fan-out.ts'
import type { Gap } from './gap.ts'
import type { Log } from './log.ts'
import type { Draft, Record } from './record.ts'
import { formatPosition, parsePosition, type Position } from './position.ts'
import { isProduced } from './produced.ts'
import { Publishes } from './publishes.ts'
import type { Rights } from './rights.ts'
import type { Filter, TopicEvent } from './selection.ts'
import { Shelf } from './shelf.ts'

/**
 * The app's topics and what is published on them. Augment it:
 * `declare module 'pastelli' { interface TopicMap { prices: Price, [topic: `user:${string}`]: Note } }`
 */
export interface TopicMap {}

/** The topics of `TopicMap`, any text while that is empty. */
export type TopicName = [keyof TopicMap] extends [never] ? string : keyof TopicMap & string

/** What is published on a topic. */
export type Payload<Topic extends string> = Topic extends keyof TopicMap ? TopicMap[Topic] : unknown

/** What `subscribe` takes besides the topics. */
export interface SubscribeOptions<Topic extends string = string> {
  /**
   * Where a client starts that brings no `Last-Event-ID`: behind this position, or `earliest`, with everything retained.
   * @default with what is published from now on
   */
  after?: string | null | undefined
  /** Lets through what it answers true for. Must not change with time. Share one function, and its events are built once for all. */
  filter?: ((event: Topic extends string ? TopicEvent<Topic, Payload<Topic>> : never) => boolean) | null | undefined
  /**
   * The connection is a member of `fastify.presence` on these topics while it is open and subscribed to them: with `true`, or with
   * data that the others see, at most 1 KiB as JSON.
   * @default it is none
   */
  presence?: unknown
}

/** What `app.topics` emits. */
export interface TopicsEvents {
  /** The topic has its first subscriber. */
  active: [topic: TopicName]
  /** The last one has gone. */
  idle: [topic: TopicName]
}

/** What there is of a topic that is produced, for one client. */
export interface Remains {
  /** - `none`: it was never produced, or trimmed as a whole
   * - `nothing`: it has ended, and the client has everything
   * - `more`: the rest, whether it is there or comes yet
   */
  readonly what: 'none' | 'nothing' | 'more'
  /** The offset behind which the client goes on. */
  readonly after: number
  /** What lies between there and where the client was. */
  readonly gap: Gap | null
  /** Whether its end is in the log. */
  readonly hasEnded: boolean
  /** Who feeds it, as a claim says; null: nobody has said so, or that was trimmed. */
  readonly producer: string | null
}

/** Is told of the topics that are produced. */
export interface ProducedWatcher {
  active: (topic: string) => void
  idle: (topic: string) => void
  /** Of each record that begins or ends one, or says who feeds it. */
  heard: (record: Record) => void
  /** What is heard next is not behind what was heard before. */
  lost: () => void
}

type Subscribed = (topics: readonly string[]) => void

const EARLIEST = 'earliest'

/** What is published in an app, and to whom it goes. */
export class Topics extends EventEmitter<TopicsEvents> {
  readonly #feed: Feed
  readonly #fanOut: FanOut
  readonly #unfollow: () => void | Promise<void>
  readonly #rights: Rights | null
  readonly #connections: () => Iterable<Connection>
  readonly #logger: Logger
  readonly #publishes: Publishes
  #watcher: ProducedWatcher = { active: () => {}, idle: () => {}, heard: () => {}, lost: () => {} }

  /**
   * @param rights null: everybody may be subscribed to everything
   * @param connections all that there are, also those not open yet
   * @param coalesce ms in which publishes are gathered; 0: those of a tick are
   */
  constructor (log: Log, rights: Rights | null, connections: () => Iterable<Connection>, coalesce: number, logger: Logger) {
    super()
    const directory = new Directory((event, topic) => {
      if (isProduced(topic)) this.#watcher[event](topic)
      else tell(this, event, [topic], logger)
    })
    this.#fanOut = new FanOut(directory, coalesce, (connections, latency) => { delivered.publish({ topics: this, connections, latency }) })
    this.#feed = { log, directory, catchUp: new CatchUp(), shelf: new Shelf() }
    this.#rights = rights
    this.#connections = connections
    this.#logger = logger
    this.#publishes = new Publishes(logger)
    this.#unfollow = log.follow((record) => { this.#hear(record) }, {
      lost: (last) => { this.#restart(last) },
      failed: (err) => { logger.error({ err }, 'the log can not be followed') },
      recovered: () => { logger.info({}, 'the log is followed again') },
      refused: (err, entry) => { logger.error({ err, entry }, 'what can not be an event was left out of the log') }
    })
  }

  /** Where the log is now: `subscribe(topic, { after: position })` gives what is published from now on. */
  get position (): string {
    const { epoch, head } = this.#feed.log
    return formatPosition(epoch, head)
  }

  /** How many connections are subscribed to the topic. */
  subscribers (topic: TopicName): number {
    return this.#feed.directory.subscribers(topic)
  }

  /**
   * Sends an event to every connection that is subscribed, and keeps it for those that come back.
   * @param data text goes out verbatim, everything else as JSON
   * @returns the event's id; a promise of it where the log is remote
   * @throws PST_ERR_TOPIC, PST_ERR_DATA, PST_ERR_FIELD; nothing is published then. The promise rejects with PST_ERR_LOG
   */
  publish<Topic extends TopicName> (topic: Topic, data: Payload<Topic>, options: PublishOptions = {}): string | Promise<string> {
    return this.append(draftOf(topic, data, options))
  }

  /** @internal What cursors have in common, for those who look at it. */
  get feed (): Feed {
    return this.#feed
  }

  /** @internal */
  append (draft: Draft): string | Promise<string> {
    const id = this.#feed.log.append(draft)
    if (typeof id === 'string') this.#tellPublished(draft)
    else this.#publishes.watch(id, draft.topic, () => { this.#tellPublished(draft) })
    return id
  }

  /**
   * Asks `canSubscribe` again about everything that is subscribed. Until it has answered, nothing more is delivered;
   * a connection that lost a right closes with `expired`.
   * @param connection only this one
   */
  async reauthorize (connection?: Connection): Promise<void> {
    await this.#rights?.recheck(connection === undefined ? this.#connections() : [connection])
  }

  /** @internal */
  async stop (): Promise<void> {
    this.#fanOut.stop()
    await this.#unfollow()
  }

  /**
   * @internal
   * @param subscribed is called with the topics when it is
   */
  subscribe (connection: Connection, topics: string | readonly string[], options: SubscribeOptions, subscribed: Subscribed | null): void | Promise<void> {
    const names = namesOf(topics)
    const { filter = null, after = null } = options
    if (filter !== null && typeof filter !== 'function') throw new PST_ERR_ARGUMENT('subscribe', 'a filter that is a function', typeof filter)
    if (after !== null && typeof after !== 'string') throw new PST_ERR_ARGUMENT('subscribe', 'an after that is a string', typeof after)
    if (names.length === 0) return
    const start = connection.cursor === null ? null : this.#startOf(connection.cursor, names, after)
    const pending = this.#rights?.check(connection, names)
    connection.cursor ??= this.#place(connection, names, after)
    const { cursor } = connection
    if (start !== null) cursor.startAt(start)
    if (!(pending instanceof Promise)) {
      cursor.subscribe(names, filter as Filter | null)
      subscribed?.(names)
      return
    }
    const admission = this.#admit(connection, cursor, pending, names, filter as Filter | null, subscribed)
    // Who does not wait for it must not crash because a client asked for too much.
    admission.catch((err: unknown) => { this.#logger.info({ err, connection: connection.id }, 'a subscription was refused') })
    return admission
  }

  /** @internal Gives all that remains of a topic that is produced. */
  attach (connection: Connection, topic: string, { after, gap }: Remains): void {
    connection.cursor = new Cursor(connection, this.#feed, after, gap, true)
    connection.cursor.subscribe([topic], null)
  }

  /** @internal What remains of a topic that is produced, for a client that was there. */
  async remains (lastEventId: string | null, topic: string): Promise<Remains> {
    const { log } = this.#feed
    const records = current(await this.#retained(topic))
    const place = lastEventId === null ? null : this.#locate(lastEventId)
    const isTrimmed = typeof place === 'number' ? log.isTrimmed([topic], place) : records[0]?.begins === undefined && records.length !== 0
    const gap: Gap | null = typeof place === 'object' && place !== null ? place : isTrimmed ? { reason: 'trimmed', from: lastEventId } : null
    const after = typeof place === 'number' && !isTrimmed ? place : log.earliest([topic])
    if (records.length === 0) return { what: 'none', after, gap, hasEnded: false, producer: null }
    const hasEnded = records.at(-1)?.ends !== undefined
    const isWhole = gap === null && hasEnded && !records.some(({ offset, block }) => offset > after && block !== '')
    return { what: isWhole ? 'nothing' : 'more', after, gap, hasEnded, producer: records[0]?.producer ?? null }
  }

  /** @internal */
  watch (watcher: ProducedWatcher): void {
    this.#watcher = watcher
  }

  /** @internal */
  unsubscribe ({ cursor }: Connection, topics: string | readonly string[]): void {
    const names = namesOf(topics)
    cursor?.unsubscribe(names)
  }

  #tellPublished ({ topic, data }: Draft): void {
    if (published.hasSubscribers && !isProduced(topic)) published.publish({ topics: this, topic, bytes: Buffer.byteLength(data) })
  }

  #hear (record: Record): void {
    this.#fanOut.add(record)
    if (record.producer !== undefined || record.ends !== undefined) this.#watcher.heard(record)
  }

  #restart (last: Position): void {
    this.#watcher.lost()
    this.#feed.shelf.clear()
    for (const { cursor } of this.#connections()) cursor?.restart(last)
  }

  async #retained (topic: string): Promise<readonly Record[]> {
    const { log } = this.#feed
    for (;;) {
      const batch = await log.read([topic], log.earliest([topic]), Infinity)
      if (batch !== null) return batch.records   // else it was trimmed meanwhile
    }
  }

  // Nothing is given before the answer, which keeps the log's order; what is unsubscribed before it is not subscribed.
  async #admit (connection: Connection, cursor: Cursor, pending: Promise<void>, names: readonly string[], filter: Filter | null, subscribed: Subscribed | null): Promise<void> {
    const awaited = new Set(names)
    cursor.hold(awaited)
    try {
      await pending
      cursor.subscribe(awaited, filter)
      subscribed?.([...awaited])
    } finally {
      cursor.release(awaited)
      if (cursor.isUnused) connection.cursor = null
    }
  }

  // Where a cursor that has not begun starts now; null: where it is.
  #startOf (cursor: Cursor, names: readonly string[], after: string | null): number | null {
    if (after === null || (cursor.isResumed && !cursor.hasBegun)) return null
    const { log } = this.#feed
    const own = cursor.offset
    const offset = after === EARLIEST ? log.earliest([...cursor.subscriptions.keys(), ...names]) : this.#locate(after)
    if (typeof offset !== 'number') throw new PST_ERR_POSITION(cursor.position, after)
    const isElsewhere = offset < own || (offset > own && after !== EARLIEST)
    if (isElsewhere && !startsAnew(cursor, names)) throw new PST_ERR_POSITION(cursor.position, after)
    return cursor.hasBegun ? null : offset
  }

  // The first delivery starts where the client was, else where the app says.
  #place (connection: Connection, names: readonly string[], after: string | null): Cursor {
    const { log } = this.#feed
    const { lastEventId } = connection
    const isResumed = lastEventId !== null
    const from = lastEventId ?? after
    const place = from === null ? log.head : !isResumed && from === EARLIEST ? log.earliest(names) : this.#locate(from)
    return typeof place === 'number'
      ? new Cursor(connection, this.#feed, place, null, isResumed)
      : new Cursor(connection, this.#feed, log.head, place, isResumed)
  }

  // The offset of a position, or why there is none here.
  #locate (text: string): number | Gap {
    const { epoch, head } = this.#feed.log
    const position = parsePosition(text)
    if (position === null) return { reason: 'malformed', from: null }
    if (position.epoch !== epoch || position.offset > head) return { reason: 'foreign', from: text }
    return position.offset
  }
}

// Of what was said and given on a topic, what counts: nothing before its last producer gave up, and nothing behind its end.
function current (records: readonly Record[]): readonly Record[] {
  const start = records.findLastIndex(({ producer }) => producer === '') + 1
  const end = records.findIndex(({ ends }, i) => i >= start && ends !== undefined)
  return records.slice(start, end === -1 ? undefined : end + 1)
}

/** @throws PST_ERR_TOPIC */
export function checkTopics (topics: string | readonly string[]): void {
  namesOf(topics)
}

// Before anything is given, what is subscribed may still start elsewhere, if all of it does.
function startsAnew ({ hasBegun, subscriptions }: Cursor, names: readonly string[]): boolean {
  return !hasBegun && subscriptions.size !== 0 && [...subscriptions.keys()].every((topic) => names.includes(topic))
}

function namesOf (topics: string | readonly string[]): string[] {
  if (typeof topics !== 'string' && !Array.isArray(topics)) throw new PST_ERR_TOPIC(typeof topics)
  const names = typeof topics === 'string' ? [topics] : [...new Set(topics as string[])]
  for (const name of names) checkTopic(name)
  return names
}
