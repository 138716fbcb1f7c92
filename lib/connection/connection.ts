/** One open client of any transport: what can be sent to it, and what it tells about itself. */
import { overflowed } from '../diagnostics.ts'
import { PST_ERR_ARGUMENT, PST_ERR_CHUNK, PST_ERR_HEAD_SENT, PST_ERR_ID, PST_ERR_INFO } from '../errors.ts'
import type { StreamSettings } from '../options.ts'
import { failSource } from '../source/failure.ts'
import { arrival, pipe } from '../source/pipe.ts'
import { type AnySource, sourceOf } from '../source/source.ts'
import { isThenable } from '../thenable.ts'
import { type EventOptions, eventStream } from '../wire/event-stream.ts'
import type { Format } from '../wire/format.ts'
import { StreamEvent } from '../wire/stream-event.ts'
import type { Cursor } from '../topics/cursor.ts'
import type { SubscribeOptions, TopicName } from '../topics/topics.ts'
import type { Coding } from './coding.ts'
import { Encoder } from './encoder.ts'
import { isJson } from './formats.ts'
import type { Host, Log } from './host.ts'
import { freePlaces } from './limits.ts'
import type { Opening, Origin } from './opening.ts'
import type { CloseReason } from './reasons.ts'
import type { Registry } from './registry.ts'
import { type Sent, Sender } from './sender.ts'
import type { Transport, TransportName } from './transport.ts'

/**
 * What an app keeps on its connections. Augment it:
 * `declare module 'pastelli' { interface ConnectionState { user?: string } }`
 */
export interface ConnectionState {}

/** One open client, whatever carries it. What answers with `Sent` goes out in the order of the calls. */
export class Connection<State extends object = ConnectionState> extends Sender {
  /** Made by the server, unguessable, ASCII. */
  readonly id: string
  /** @internal Its place in the log; null while it is subscribed to nothing. */
  cursor: Cursor | null = null

  readonly #host: Host
  readonly #origin: Origin
  #opening: Opening | null
  readonly #encoder: Encoder
  #transportName: TransportName | null = null
  #init: string | null = null
  #openedAt = 0
  #openSince = 0
  #name: string | null = null
  #state: State | null = null

  constructor (id: string, origin: Origin, host: Host, opening: Opening) {
    const encoder = new Encoder(host.formats, host.events, origin.choice)
    super(host.settings, encoder.format?.encoding ?? 'utf8')
    this.id = id
    this.#origin = origin
    this.#host = host
    this.#opening = opening
    this.#encoder = encoder
    host.registry.expect(this)
  }

  /** The pattern of the route that opened it, such as `/users/:id`. */
  get route (): string {
    return this.#origin.route
  }

  /** What carries it; null before the take-over. */
  get transport (): TransportName | null {
    return this.#transportName
  }

  /** The `Last-Event-ID` header, else the `lastEventId` query parameter, as the client sent it. */
  get lastEventId (): string | null {
    return this.#origin.lastEventId
  }

  /** Of a WebSocket, the subprotocol that was agreed on; else null. */
  get protocol (): string | null {
    return this.#origin.protocol
  }

  /** When the response was taken over, ms since 1970; 0 before that. */
  get openedAt (): number {
    return this.#openedAt
  }

  /** @internal The same as `performance.now()` tells it, which nobody sets: what it is old by. */
  get openSince (): number {
    return this.#openSince
  }

  /** The app's own: whatever it wants to find here again. */
  get state (): State {
    this.#state ??= {} as State
    return this.#state
  }

  /** Another object in its place. */
  set state (state: State) {
    this.#state = state
  }

  /** A name under which `connections.named` finds it; several connections may share one. */
  get name (): string | null {
    return this.#name
  }

  /** @throws PST_ERR_ARGUMENT */
  set name (name: string | null) {
    if (name !== null && typeof name !== 'string') throw new PST_ERR_ARGUMENT('name', 'a string or null', typeof name)
    const before = this.#name
    this.#name = name
    this.#host.registry.rename(this, before)
  }

  /**
   * Sends bytes as they are; a string as UTF-8, half a surrogate pair as U+FFFD. An empty chunk does nothing. Over a
   * WebSocket, a string is a text message and bytes are a binary one, also when they are empty. Do not change the bytes
   * afterwards.
   * @throws PST_ERR_CHUNK
   */
  chunk (bytes: string | Uint8Array): Sent {
    const isText = typeof bytes === 'string'
    if (!isText && !(bytes instanceof Uint8Array)) throw new PST_ERR_CHUNK(bytes === null ? 'null' : typeof bytes)
    if (this.reason !== null) return false
    const frame = this.#encoder.format?.encodeChunk
    if (frame !== undefined) return this.#sendWhole(frame(isText ? bytes.toWellFormed() : bytes))
    if (bytes.length === 0) return true
    this.#opening?.begin(false)
    const sent = this.send(isText ? bytes.toWellFormed() : bytes)   // which may be what starts the take-over
    if (this.#encoder.isFormatted || this.#opening !== null) this.#encoder.wrote(bytes)
    this.cursor?.advance()   // it may have waited for the end of a block
    return sent
  }

  /**
   * Sends one event.
   * @param data text goes out verbatim, everything else as JSON; or an event made by `event()`, which has its own fields
   * @throws PST_ERR_DATA, PST_ERR_FIELD, PST_ERR_ARGUMENT, PST_ERR_CONTENT_TYPE, PST_ERR_NOT_ACCEPTABLE, PST_ERR_ID; nothing is sent then
   */
  event (data: unknown, options?: EventOptions | null): Sent {
    const text = this.#encode(data, options)
    if (this.reason !== null) return false
    this.#opening?.begin(true)
    if (text === '') return true
    const sent = this.#sendWhole(text)
    if (sent !== false) this.count(1)
    this.cursor?.advance()   // it may have waited for the end of what was begun with `chunk`
    return sent
  }

  /**
   * Sends a comment, which clients ignore; nothing in a format that has none.
   * @throws PST_ERR_DATA, PST_ERR_CONTENT_TYPE, PST_ERR_NOT_ACCEPTABLE
   */
  comment (text: string): Sent {
    const block = this.#needFormat().encodeComment?.(text) ?? ''
    if (this.reason !== null) return false
    this.#opening?.begin(true)
    const sent = block === '' || this.#sendWhole(block)
    this.cursor?.advance()
    return sent
  }

  /**
   * An event that goes out first, right behind the head. A second call replaces the first.
   * @throws PST_ERR_HEAD_SENT after the take-over; and what `event` throws
   */
  initChunk (data: unknown, options?: EventOptions | null): void {
    const text = this.#encode(data, options)
    if (this.reason !== null) return
    if (this.#opening === null) throw new PST_ERR_HEAD_SENT('initChunk')
    this.#opening.declare()
    this.#init = text
  }

  /**
   * Sends what a source gives, or the promise of one: an async or sync iterable, a generator, a Node or web stream, a
   * fetch `Response`, an observable. Its items are payloads of events, events made by `event()`, or bytes. It is asked for
   * the next one when there is room, and told at once when the connection ends; the stream ends when it ends, unless
   * `end` is false.
   * @returns whether all was sent; false if the connection ended before that
   * @throws PST_ERR_ARGUMENT; as a promise, what the source throws before the response was taken over, if the handler still
   * runs: else it is what the client is answered. After the take-over it is
   * logged, the client gets an event of the type `error` (a format without types is cut), and the stream closes with `error`
   */
  async pipe (source: AnySource | PromiseLike<AnySource>, { end = true }: { end?: boolean } = {}): Promise<boolean> {
    const connection = this as Connection<object>
    const given = isThenable(source) ? source : sourceOf(source)
    try {
      const known = isThenable(given) ? await arrival(connection, given) : given
      if (known === null || await pipe(connection, known) === 'ended') return false
    } catch (error) {
      if (this.#opening === null || this.#opening.isUnderWay) failSource(connection, error)
      else if (!this.#opening.fail(error)) throw error
      return false
    }
    if (end) this.complete()
    return true
  }

  /**
   * From now on, what is published on these topics is sent here, in the log's order; at first what the client missed
   * since its `Last-Event-ID`. Subscribed again, a topic gets the new filter.
   * @returns a promise where `canSubscribe` answers with one
   * @throws PST_ERR_TOPIC, PST_ERR_ARGUMENT, PST_ERR_FORBIDDEN, PST_ERR_POSITION, PST_ERR_PRESENCE, PST_ERR_DATA, PST_ERR_CONTENT_TYPE
   */
  subscribe<const Topic extends TopicName> (topics: Topic | readonly Topic[], options: SubscribeOptions<Topic> = {}): void | Promise<void> {
    if (this.reason !== null) return
    this.#needFormat()
    this.#opening?.declare()
    const { topics: all, presence } = this.#host
    return all.subscribe(this as Connection<object>, topics, options as SubscribeOptions, presence.admit(this as Connection<object>, options.presence))
  }

  /**
   * From now on, what is published on these topics is not sent here any more.
   * @throws PST_ERR_TOPIC
   */
  unsubscribe (topics: TopicName | readonly TopicName[]): void {
    this.#host.topics.unsubscribe(this as Connection<object>, topics)
  }

  /**
   * Gives a message to the `info` of the route's WebSocket handler, which takes it behind what came before.
   * @returns false if the connection has ended; also if more wait than may, for which it is cut with `overflow`
   * @throws PST_ERR_INFO
   */
  info (message: unknown): boolean {
    if (this.reason !== null) return false
    const inform = this.outbox.transport?.inform
    if (inform == null) throw new PST_ERR_INFO()
    if (inform(message)) return true
    this.destroy('overflow')
    return false
  }

  /** When it ends with the reason `expired`, ms since 1970: its own time or `maxAge`, whichever is first. Null: never. */
  get expiresAt (): number | null {
    const { expiresAt } = this.deadlines
    return expiresAt === Infinity ? null : Math.round(Date.now() + expiresAt - performance.now())
  }

  /**
   * Ends it with the reason `expired` at this time, within a second: when what gave the client its rights runs out.
   * @param at a Date, or ms since 1970
   * @throws PST_ERR_ARGUMENT
   */
  expire (at: Date | number): void {
    const time = Number(at)
    if (Number.isNaN(time)) throw new PST_ERR_ARGUMENT('expire', 'a Date or ms since 1970', typeof at)
    // The clock may have been set since `performance.timeOrigin`, and may be again: it is asked once.
    const left = time - Date.now()
    this.deadlines.expiresAt = Math.min(this.deadlines.expiresAt, performance.now() + left)
    if (left <= 0) this.close('expired')
  }

  /** @internal Whatever the client says of where it was, it begins with what is published from now on. */
  forgetPosition (): void {
    this.#origin.lastEventId = null
  }

  /** @internal What its events are encoded in. */
  get format (): Format {
    return this.#needFormat()
  }

  /** @internal The `Content-Type` that it gets unless the app says otherwise; null if it accepts none. */
  get contentType (): string | null {
    return this.#encoder.format?.contentType ?? null
  }

  /** @internal Whether the content type depends on what the client accepts. */
  get isNegotiated (): boolean {
    return this.#origin.isNegotiated
  }

  /**
   * @internal An item of a source in a format that is not its own, as the route's schema says.
   * @throws what `event` throws
   */
  encodeIn (format: Format, item: unknown): string {
    return this.#encoder.encode(format, item, null)
  }

  /** @internal What it is compressed with, unless the app has its own; null: not at all. */
  get coding (): Coding | null {
    return this.#origin.coding
  }

  /** @internal Why there can be no stream for a client that accepts nothing that there is. */
  get refusal (): Error {
    return this.#encoder.refusal
  }

  /** @internal Whether it accepts nothing that there is, and the app has not set a content type all the same. */
  get isRefused (): boolean {
    return this.#encoder.format === null && this.#opening !== null && this.#opening.contentType === undefined && !this.wantsJson
  }

  /** @internal Whether it wants no stream but all there is at once, as JSON: unless the app has set another content type. */
  get wantsJson (): boolean {
    if (this.#origin.choice !== 'json' || this.#opening === null) return false
    const { contentType } = this.#opening
    return contentType === undefined || isJson(contentType)
  }

  /** @internal What canSubscribe asks about. */
  get request (): unknown {
    return this.#origin.request
  }

  /** @internal Whether something may follow what was sent: never inside what the app writes with `chunk`. */
  get isBetween (): boolean {
    return this.#encoder.isBetween
  }

  /** @internal Whether that may be written now. */
  get takesBlocks (): boolean {
    return this.outbox.transport !== null && this.#encoder.isBetween
  }

  /**
   * @internal Sends a block of so many events that tells the client its position.
   * @param encode the app's own format may fail at it, which nobody but the stream shall feel
   */
  tell (encode: (format: Format) => string, events: number): void {
    let block: string
    try {
      block = encode(this.format)
    } catch (err) {
      this.fail(err)
      return
    }
    this.deadlines.told = true
    if (block === '') return
    this.count(events)
    this.#encoder.ended()
    this.send(block, true)
  }

  /** @internal Tells it by an event, if heartbeats are events: Firefox and Safari pass over an id that comes without data (2026-11). */
  tellPosition (position: string): void {
    const { heartbeatEvent } = this.#host.settings
    this.tell((format) => format.encodeId === undefined ? '' : heartbeatEvent === null ? format.encodeId(position) : format.encodeHeartbeat(heartbeatEvent, position), 0)
  }

  /** @internal Ends it behind all that its source had. */
  complete (): void {
    const { terminator } = this.#host.settings
    if (terminator !== null && this.reason === null) this.#terminate(terminator)
    this.close()
  }

  /** @internal */
  get registry (): Registry {
    return this.#host.registry
  }

  /** @internal */
  get log (): Log {
    return this.#origin.log
  }

  /** @internal */
  override get settings (): Readonly<StreamSettings> {
    return this.#host.settings
  }

  /** @internal Something that works for it has failed. */
  fail (err: unknown): void {
    if (this.phase === 'closed') return
    this.#origin.log.error({ err, connection: this.id }, 'a stream failed')
    this.destroy('error')
  }

  /** @internal The response is taken over and its head given to the transport. */
  open (transport: Transport, contentType: unknown): void {
    const { settings, registry, clock } = this.#host
    const closing = this.reason !== null
    this.#opening = null
    this.#settleFormat(contentType ?? '')
    this.#transportName = transport.name
    this.#openedAt = Date.now()
    this.#openSince = performance.now()
    this.deadlines.start(this.#openSince, settings.maxAge)
    this.outbox.attach(transport)
    this.#addPrologue()
    this.opened()
    registry.add(this)
    this.cursor?.attendance?.open()
    clock.start()
    this.cursor?.advance()   // so that what it has to tell leaves with the first write
    this.endTick()
    if (closing) this.finish(this.reason as unknown as CloseReason)
  }

  /** @internal Looks at the clock: deadlines, age, heartbeat. `now` is in ms, like `performance.now()`. */
  sweep (now: number): void {
    const { transport } = this.outbox
    if (transport === null) return
    const stuckFor = this.deadlines.stuckFor(transport, now)
    if (this.phase === 'closing') {
      if (stuckFor >= this.#host.settings.drain) this.destroy()
      return
    }
    const { settings } = this.#host
    const probed = transport.probe?.(now, settings.heartbeat) ?? null
    if (probed === 'asked') this.#host.clock.heartbeats++
    // To be asked tells the client nothing of its position.
    const due = probed === null || probed === 'asked' ? this.deadlines.due(now, stuckFor, this.cursor !== null, settings) : probed
    if (due === 'timeout') this.destroy('timeout')
    else if (due === 'expired' || due === 'client') this.close(due)
    else if (due === 'heartbeat') this.#beat()
    this.cursor?.sweep()
  }

  /** @internal Ends the stream because the server shuts down; the client is told to wait `retry` ms before it returns. */
  shutdown (retry: number): void {
    const block = this.#encoder.format?.encodeRetry?.(retry)
    if (this.reason === null && block !== undefined && this.#encoder.isBetween && !this.isFull) this.#sendWhole(block)
    this.close('shutdown')
  }

  protected override hurry (): void {
    this.#opening?.start()
  }

  protected override finish (reason: CloseReason): void {
    if (reason === 'expired') this.cursor?.end()   // it may not see any more of its topics
    else if (this.#opening === null) this.cursor?.finish()
    this.outbox.refuse()
    if (this.#opening !== null) {
      this.#opening.begin(false)
      return
    }
    this.flush()
    this.deadlines.startDraining(performance.now())
    this.outbox.transport?.end(reason === 'shutdown', reason)
  }

  protected override cut (): void {
    if (this.reason === 'overflow' && overflowed.hasSubscribers) overflowed.publish({ connections: this.registry, connection: this, policy: 'disconnect' })
    this.#opening?.abandon()
    this.outbox.transport?.destroy(this.reason as CloseReason)
  }

  protected override settled (reason: CloseReason, wasOpen: boolean): void {
    this.#opening = null
    this.cursor?.end()
    this.outbox.clear()
    freePlaces(this.#host.limits, this.#origin.key)
    if (!wasOpen) this.#host.registry.giveUp(this)
    if (!wasOpen && reason !== 'overflow') return   // answered by other means, or nobody there
    const duration = wasOpen ? Math.round(performance.now() - this.#openSince) : 0
    this.#origin.log.info({ connection: this.id, reason, duration, bytes: this.bytes, events: this.events }, 'stream closed')
    if (wasOpen) this.#host.registry.remove(this, reason)
  }

  #terminate (text: string): void {
    if (this.#opening !== null) this.#settleFormat(this.#opening.contentType)
    if (this.#encoder.isBetween && this.#encoder.format === eventStream) this.tell((format) => format.encode(text), 1)
  }

  #sendWhole (block: string | Uint8Array): Sent {
    const sent = this.send(block)
    this.#encoder.ended()
    return sent
  }

  #encode (data: unknown, options: EventOptions | null | undefined): string {
    const format = this.#needFormat()
    if (this.cursor !== null && (data instanceof StreamEvent ? data.fields : options)?.id !== undefined) throw new PST_ERR_ID()
    return this.#encoder.encode(format, data, options)
  }

  // The one that the client chose, unless the app has set a content type; after the take-over the one of the response.
  #needFormat (): Format {
    if (this.reason !== null) return this.#encoder.format ?? eventStream   // nothing goes out, but bad input is refused
    if (this.#opening !== null) this.#settleFormat(this.#opening.contentType)
    return this.#encoder.need()
  }

  #settleFormat (contentType: unknown): void {
    if (this.#encoder.settle(contentType)) this.cursor?.reformat()
  }

  // What goes out right behind the head: the initial event, the delay of a reconnect; if there is nothing, what opens.
  #addPrologue (): void {
    const { retry } = this.#host.settings
    const blocks = this.#init === null ? [] : [this.#init]
    this.count(blocks.length)
    this.#init = null
    if (this.#encoder.isFormatted) {
      const format = this.#encoder.need()
      if (retry !== 0) blocks.push(format.encodeRetry?.(retry) ?? '')
      if (blocks.length === 0 && this.outbox.isEmpty) blocks.push(format.opening)
    }
    this.outbox.prepend(blocks.join(''))
  }

  // Never behind bytes that wait: they are a sign of life themselves, once the client takes them.
  #beat (): void {
    if (!this.#encoder.isBetween || this.outbox.backlog !== 0) return
    const position = this.cursor?.hasBegun === true ? this.cursor.position : null   // before that it may owe a gap
    this.tell((format) => format.encodeHeartbeat(this.#host.settings.heartbeatEvent, position), 0)
    this.#host.clock.heartbeats++
  }
}
