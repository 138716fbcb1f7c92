/** The verbs on `reply`, and what makes them safe in any route: handlers are watched, and so is what goes out. */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, FastifyTypeProvider } from 'fastify'
import fp from 'fastify-plugin'
import { codingFor } from '../lib/connection/coding.ts'
import { Connection } from '../lib/connection/connection.ts'
import { JSON_CONTENT_TYPE } from '../lib/connection/formats.ts'
import type { Host } from '../lib/connection/host.ts'
import { PST_ERR_NOT_ACCEPTABLE, PST_ERR_NOT_UPGRADABLE, PST_ERR_OPTION } from '../lib/errors.ts'
import { makeId } from '../lib/connection/id.ts'
import { takePlaces } from '../lib/connection/limits.ts'
import { encode, setStreamHeaders } from '../lib/connection/head.ts'
import type { Opening, Origin } from '../lib/connection/opening.ts'
import type { Sent } from '../lib/connection/sender.ts'
import { type Reply, TakeOver, WITHHELD } from '../lib/connection/take-over.ts'
import { asksForWebSocket } from '../lib/connection/upgrade.ts'
import { kHandling, kHost, kTakeOver, kUpgrade, kWatched } from '../lib/symbols.ts'
import { type EventOptions, eventStream } from '../lib/wire/event-stream.ts'

declare module 'fastify' {
  interface FastifySchema {
    /** A stream's events, by type (`message` for those without one): how the data of each is serialised. */
    events?: Readonly<Record<string, unknown>>
  }
  // Only two of these are used here, but all declarations must have the same.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  interface FastifyReply<RouteGeneric, RawServer, RawRequest, RawReply, ContextConfig, SchemaCompiler, TypeProvider> {
    /** This client. In an ordinary route, asking for it makes it: the response is then expected to become a stream. */
    readonly connection: Connection
    /**
     * Starts a stream at the end of this tick. Sends no bytes of its own and sets no content type.
     * @param status default 200
     * @throws PST_ERR_STATUS, PST_ERR_HEAD_SENT, PST_ERR_ANSWERED, PST_ERR_MAX_CONNECTIONS, PST_ERR_MAX_CONNECTIONS_PER_KEY
     */
    sendChunked: (status?: number) => this
    /** {@link Connection.initChunk} */
    initChunk: (data: unknown, options?: EventOptions | null) => this
    /** {@link Connection.chunk} */
    chunk: (bytes: string | Uint8Array) => Sent
    /** {@link Connection.event} */
    event: EventVerb<SchemaCompiler, TypeProvider>
    /** Ends the stream properly. Harmless when it has ended. */
    closeChunk: () => void
    /** @internal */
    [kTakeOver]: TakeOver | null
    /** @internal */
    [kHandling]: unknown
  }
  interface FastifyContextConfig {
    /** @internal */
    [kHost]?: Host
    /** @internal */
    [kUpgrade]?: Upgrade
    /** @internal */
    [kWatched]?: true
  }
}

/** What a stream route does with an upgrade. */
export interface Upgrade {
  /** Whether there is nothing for other requests but an error. */
  readonly isAll: boolean
  /** Lets the client in, or throws; @fastify/websocket does the upgrade itself. */
  readonly admit: (request: FastifyRequest, reply: FastifyReply, upgrade: () => unknown) => unknown
}

/** What route a connection is of, and in which form its events go out. */
type Form = Pick<Origin, 'route' | 'choice' | 'isNegotiated' | 'coding' | 'protocol'>

/** What a type provider makes of a schema. */
export type Serialized<TypeProvider extends FastifyTypeProvider, Schema> = (TypeProvider & { schema: Schema })['serializer']

type AnyEvent = (data: unknown, options?: EventOptions | null) => Sent

// A method, so that a reply with declared events may be given to what takes any reply.
interface DeclaredEvent<Events, TypeProvider extends FastifyTypeProvider> {
  event<Name extends keyof Events & string>(data: Serialized<TypeProvider, Events[Name]>, options: EventOptions & { event: Name }): Sent
}
interface DeclaredMessage<Schema, TypeProvider extends FastifyTypeProvider> {
  event(data: Serialized<TypeProvider, Schema>, options?: EventOptions & { event?: 'message' } | null): Sent
}

/** Any event; where the route's schema declares events, those, with their data. */
export type EventVerb<SchemaCompiler extends FastifySchema, TypeProvider extends FastifyTypeProvider> =
  SchemaCompiler extends { events: infer Events }
    ? DeclaredEvent<Events, TypeProvider>['event'] & (Events extends { message: infer Schema } ? DeclaredMessage<Schema, TypeProvider>['event'] : unknown)
    : AnyEvent

// How long a client that found no place shall wait, s.
const RETRY_AFTER = '5'

function reply (fastify: FastifyInstance, _options: object, done: () => void): void {
  fastify.decorateReply(kTakeOver, null)
  fastify.decorateReply(kHandling, null)
  fastify.decorateReply('connection', { getter () { return (this[kTakeOver] ?? begin(this, null)).connection } })
  fastify.decorateReply('sendChunked', function (status = 200) {
    takeOverOf(this).sendChunked(status)
    return this
  })
  fastify.decorateReply('initChunk', function (data, options) {
    takeOverOf(this).connection.initChunk(data, options)
    return this
  })
  fastify.decorateReply('chunk', function (bytes) { return takeOverOf(this).connection.chunk(bytes) })
  fastify.decorateReply('event', function (data, options) { return takeOverOf(this).connection.event(data, options) })
  fastify.decorateReply('closeChunk', function () { this.connection.close() })

  fastify.addHook('onRoute', (route) => {
    const { handler } = route
    route.config = { ...route.config, [kWatched]: true }
    // Where @fastify/websocket comes later, such a handler is still called with a WebSocket and the request.
    if (route.websocket === true) return
    const isStream = route.config[kHost] !== undefined
    const upgrade = route.config[kUpgrade]
    route.handler = function (request, reply) {
      if (isStream && request.ws && asksForWebSocket(request.headers)) {
        if (upgrade === undefined) throw new PST_ERR_NOT_UPGRADABLE()
        return upgrade.admit(request, reply, () => handler.call(this, request, reply))
      }
      if (isStream && request.method === 'HEAD' && upgrade?.isAll !== true) return answerHead(request, reply)
      if (isStream) takeOverOf(reply).handling()
      try {
        return watch(reply, handler.call(this, request, reply))
      } catch (error) {
        reply[kTakeOver]?.failed()
        throw error
      }
    }
  })
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    const takeOver = reply[kTakeOver]
    const screened = takeOver === null ? payload : takeOver.screen(payload)
    // Without `done` the chain of hooks ends here: the response is being taken over already.
    if (screened !== WITHHELD) done(null, screened)
  })
  done()
}

// An ordinary route may begin a stream while its handler runs, or any time later.
function watch (reply: FastifyReply, result: unknown): unknown {
  const takeOver = reply[kTakeOver]
  if (takeOver === null) {
    reply[kHandling] = result
    return result
  }
  return takeOver.follow(result === reply ? undefined : result)
}

function takeOverOf (reply: FastifyReply): TakeOver {
  const takeOver = reply[kTakeOver]
  return takeOver === null || takeOver.gaveWay ? begin(reply, takeOver) : takeOver
}

function begin (reply: FastifyReply, before: TakeOver | null): TakeOver {
  const { request, server } = reply
  const { url: route = '', config } = request.routeOptions   // made anew each time it is asked for
  const { [kHost]: ownHost, [kWatched]: isWatched } = config
  if (isWatched === undefined && !request.is404) {
    reply.log.warn({ route }, 'this route was declared before pastelli was loaded, so nobody watches whether its handler fails: await register first')
  }
  const host = ownHost ?? server[kHost]
  const takeOver = new TakeOver(reply as Reply, (opening) => connect(request, reply, host, opening, formOf(request, host, route, ownHost !== undefined)), ownHost !== undefined && before === null, before)
  reply[kTakeOver] = takeOver
  reply.send = send
  if (ownHost !== undefined) reply.then = then
  const handling = reply[kHandling]
  if (handling instanceof Promise) handling.then(() => { takeOver.settled() }, () => { takeOver.failed() })
  else if (handling !== null) takeOver.settled()
  reply[kHandling] = null
  return takeOver
}

function send (this: FastifyReply, payload?: unknown): FastifyReply {
  const takeOver = this[kTakeOver]
  // `(request, reply) => reply.event(data)`: what a verb answers is no answer to the client.
  const answer = typeof payload === 'boolean' && takeOver?.hasBegun === true ? undefined : payload
  takeOver?.otherwise(answer)
  return Object.getPrototypeOf(this).send.call(this, answer)
}

// What an async handler does that returns the reply: it waits for the response to end, so it has set its stream up.
function then (this: FastifyReply, ...args: Parameters<FastifyReply['then']>): void {
  this[kTakeOver]?.follow(undefined)
  Object.getPrototypeOf(this).then.apply(this, args)
}

/**
 * A connection for whoever sends this request.
 * @throws PST_ERR_MAX_CONNECTIONS, PST_ERR_MAX_CONNECTIONS_PER_KEY
 */
export function connect (request: FastifyRequest, reply: FastifyReply, host: Host, opening: Opening, form: Form): Connection {
  const key: unknown = host.limits.some((limit) => limit.keyed) ? host.settings.key(request) : ''
  if (typeof key !== 'string') throw new PST_ERR_OPTION('key', 'a function from a request to a string', `one that returned a value of the type ${typeof key}`)
  host.events?.compile((schema) => reply.compileSerializationSchema(schema as Record<string, unknown>))
  try {
    takePlaces(host.limits, key)
  } catch (error) {
    reply.header('retry-after', RETRY_AFTER)
    throw error
  }
  const { route, choice, isNegotiated, coding, protocol } = form
  const origin = {
    // To spread the form costs 3.5 µs instead of 0.06 (2026-11).
    route,
    choice,
    isNegotiated,
    coding,
    protocol,
    lastEventId: lastEventId(request),
    key,
    log: reply.log,
    request: host.settings.canSubscribe === null ? null : request
  }
  return new Connection(makeId(), origin, host, opening)
}

function formOf ({ headers }: FastifyRequest, { formats, settings }: Host, route: string, isStream: boolean): Form {
  const coding = codingFor(headers['accept-encoding'], settings.compression)
  if (!isStream) return { route, choice: eventStream, isNegotiated: false, coding, protocol: null }
  return { route, choice: formats.choose(headers.accept), isNegotiated: formats.isNegotiated, coding, protocol: null }
}

// The header beats the query, which EventSource repeats unchanged when it reconnects. One that is given twice is no
// position; an empty one is none.
function lastEventId ({ headers, query }: FastifyRequest): string | null {
  const given = headers['last-event-id'] ?? (query as { lastEventId?: unknown } | undefined)?.lastEventId
  if (given === undefined || given === '') return null
  return typeof given === 'string' ? given : shown(given)
}

// What an app's own parser of queries, or a schema, makes of one: a list, an object, maybe one that has no text.
function shown (given: unknown): string {
  try {
    return JSON.stringify(given) ?? typeof given
  } catch {
    return typeof given
  }
}

// Everything that a GET would say, and no handler run for nobody.
function answerHead (request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { formats, settings } = request.routeOptions.config[kHost] as Host
  const choice = formats.choose(request.headers.accept)
  if (choice === null) throw new PST_ERR_NOT_ACCEPTABLE(formats.types.join(', '))
  setStreamHeaders(reply, { contentType: choice === 'json' ? JSON_CONTENT_TYPE : choice.contentType, isNegotiated: formats.isNegotiated })
  // All at once, as JSON, is not compressed here.
  if (choice !== 'json') encode(reply, (name, value) => reply.header(name, value), codingFor(request.headers['accept-encoding'], settings.compression), settings)
  return reply.send(Readable.from([]))   // which has no length, no more than the stream
}

export default fp(reply, { name: 'pastelli/reply', fastify: '5.x', dependencies: ['pastelli/host'] })
