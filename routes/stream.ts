/** `fastify.stream`: declares a route whose response stays open. */
import type {
  ContextConfigDefault, FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, FastifyTypeProvider, FastifyTypeProviderDefault,
  HTTPMethods, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerBase, RawServerDefault, RouteGenericInterface,
  RouteHandlerMethod, RouteOptions, RouteShorthandOptions
} from 'fastify'
import fp from 'fastify-plugin'
import type { Sent } from '../lib/connection/sender.ts'
import { EventSchemas } from '../lib/connection/event-schemas.ts'
import { Formats } from '../lib/connection/formats.ts'
import type { Host } from '../lib/connection/host.ts'
import { PST_ERR_ARGUMENT, PST_ERR_OPTION } from '../lib/errors.ts'
import { Limits } from '../lib/connection/limits.ts'
import { parseStreamOptions, type StreamOptions } from '../lib/options.ts'
import type { AnySource } from '../lib/source/source.ts'
import type { Producer } from '../lib/source/run.ts'
import { kHost, kUpgrade } from '../lib/symbols.ts'
import type { StreamEvent } from '../lib/wire/stream-event.ts'
import type { Serialized } from '../plugins/reply.ts'
import { describeStream } from './describe.ts'
import { feeding } from './feeding.ts'
import { type ResumableKey, resuming } from './resumable.ts'
import { checkRouteTopics, type RouteTopics, subscribeTo } from './subscribing.ts'
import { refuseAllElse, upgrading, type WebSocketHandler } from './websocket.ts'

/** What the route has besides Fastify's own options. */
export interface OwnOptions<Request> extends StreamOptions<Request> {
  /** @default 'GET' */
  method?: HTTPMethods | HTTPMethods[]
  topics?: RouteTopics<Request>
  /**
   * Detaches what the handler returns from the connection: it runs once for all who ask with the same key, into the log;
   * clients come and go, and come back. The handler gets a third argument, `{ key, signal }`.
   */
  resumable?: ResumableKey<Request>
  /**
   * How long a resumable stream that nobody listens to goes on, ms; 0: to its end.
   * @default 60000
   */
  abandonAfter?: number
}

/** What serves those who ask the route for a WebSocket. */
export interface WithWebSocket<Request, Instance = FastifyInstance> { websocket: WebSocketHandler<Request, Instance> }

/** A schema that declares the route's events. */
export interface DeclaredSchema { events: Readonly<Record<string, unknown>> }

/** What such a route may yield: its events, data of the type `message`, what has no type and no data, and bytes. */
export type DeclaredItem<Events, TypeProvider extends FastifyTypeProvider> =
  | { [Type in keyof Events & string]: StreamEvent<Serialized<TypeProvider, Events[Type]>, Type> }[keyof Events & string]
  | (Events extends { message: infer Schema } ? Serialized<TypeProvider, Schema> | StreamEvent<Serialized<TypeProvider, Schema>, undefined> : never)
  | StreamEvent<undefined, undefined>
  | Uint8Array

type DeclaredSource<Events, TypeProvider extends FastifyTypeProvider> =
  AsyncIterable<DeclaredItem<Events, TypeProvider>> | Iterable<DeclaredItem<Events, TypeProvider>> | ReadableStream<DeclaredItem<Events, TypeProvider>> | Response

type DeclaredAnswer<Events, TypeProvider extends FastifyTypeProvider> =
  DeclaredSource<Events, TypeProvider> | FastifyReply | Sent | void | Promise<DeclaredSource<Events, TypeProvider> | FastifyReply | boolean | void>

/** What a handler may return: what feeds the stream, or what it answers otherwise; what a verb answered is no answer. */
type StreamAnswer<Answer> = Answer | AnySource | Sent | Promise<AnySource>

/** What a stream route runs. */
export type StreamHandler<
  RawServer extends RawServerBase = RawServerDefault,
  RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
  RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
  RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
  ContextConfig = ContextConfigDefault,
  SchemaCompiler extends FastifySchema = FastifySchema,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  Logger extends FastifyBaseLogger = FastifyBaseLogger
> = (
  this: FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
  ...args: Parameters<RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>>
) => StreamAnswer<ReturnType<RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>>>

// Without the `websocket: true` that @fastify/websocket declares for all routes.
type SocketRouteOptions<
  RawServer extends RawServerBase,
  RawRequest extends RawRequestDefaultExpression<RawServer>,
  RawReply extends RawReplyDefaultExpression<RawServer>,
  RouteGeneric extends RouteGenericInterface,
  ContextConfig,
  SchemaCompiler extends FastifySchema,
  TypeProvider extends FastifyTypeProvider,
  Logger extends FastifyBaseLogger
> = Omit<RouteShorthandOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>, 'websocket'>
  & Omit<OwnOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>, 'resumable' | 'abandonAfter'>
  & WithWebSocket<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>, FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>>

/** `fastify.stream(path, [options], handler)`: GET by default, an event stream unless the handler says otherwise. With `topics`, the handler may be left out. */
export interface StreamMethod<
  RawServer extends RawServerBase = RawServerDefault,
  RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
  RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
  Logger extends FastifyBaseLogger = FastifyBaseLogger,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault
> {
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema & DeclaredSchema = FastifySchema & DeclaredSchema>(
    path: string,
    options: SocketRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & { schema: SchemaCompiler },
    handler: (
      this: FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
      ...args: Parameters<RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>>
    ) => DeclaredAnswer<SchemaCompiler['events'], TypeProvider>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    options: SocketRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & { schema?: { events?: never } },
    handler: StreamHandler<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    options: SocketRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema & DeclaredSchema = FastifySchema & DeclaredSchema>(
    path: string,
    options: RouteShorthandOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & OwnOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>
      & { schema: SchemaCompiler, resumable: ResumableKey<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>> },
    handler: (
      this: FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
      ...args: [...Parameters<RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>>, producer: Producer]
    ) => DeclaredAnswer<SchemaCompiler['events'], TypeProvider>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema & DeclaredSchema = FastifySchema & DeclaredSchema>(
    path: string,
    options: RouteShorthandOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & OwnOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>
      & { schema: SchemaCompiler },
    handler: (
      this: FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
      ...args: Parameters<RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>>
    ) => DeclaredAnswer<SchemaCompiler['events'], TypeProvider>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    options: RouteShorthandOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & OwnOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>
      & { resumable: ResumableKey<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>, schema?: { events?: never } },
    handler: (
      this: FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
      ...args: [...Parameters<RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>>, producer: Producer]
    ) => StreamAnswer<ReturnType<RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>>>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    options: RouteShorthandOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & OwnOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>
      & { schema?: { events?: never } },
    handler: StreamHandler<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    options: RouteShorthandOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & OwnOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>
      & { topics: RouteTopics<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>> }
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    handler: StreamHandler<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
}

declare module 'fastify' {
  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    stream: StreamMethod<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }
}

type Handler = RouteOptions['handler']

const subscribeOnly: Handler = () => {}

type AnyOptions = Omit<RouteOptions, 'url' | 'handler' | 'method' | 'websocket' | 'wsHandler'> & OwnOptions<FastifyRequest> & Partial<WithWebSocket<FastifyRequest>>

function stream (fastify: FastifyInstance, _options: object, done: () => void): void {
  fastify.decorate('stream', function (this: FastifyInstance, path: string, ...rest: [Handler] | [AnyOptions, Handler?]) {
    const [options, handler] = rest.length === 1 && typeof rest[0] === 'function' ? [{}, rest[0]] : [rest[0] as AnyOptions, rest[1]]
    if (typeof options !== 'object' || options === null) throw new PST_ERR_ARGUMENT('stream', 'options that are an object', typeof options)
    const isAllWebSocket = handler === undefined && options.topics === undefined
    if (isAllWebSocket && options.websocket === undefined) throw new PST_ERR_ARGUMENT('stream', 'a handler where neither topics nor a websocket are given', 'undefined')
    if (handler !== undefined && typeof handler !== 'function') throw new PST_ERR_ARGUMENT('stream', 'a handler that is a function', typeof handler)
    return declare(this, path, options, handler ?? (isAllWebSocket ? refuseAllElse : subscribeOnly), isAllWebSocket)
  } as never)
  done()
}

function declare (fastify: FastifyInstance, path: string, { topics, resumable, abandonAfter, websocket, ...options }: AnyOptions, handle: Handler, isAll: boolean): FastifyInstance {
  if (resumable === undefined && abandonAfter !== undefined) throw new PST_ERR_OPTION('abandonAfter', 'given with resumable: no other stream is abandoned', String(abandonAfter))
  if (topics !== undefined && resumable !== undefined) throw new PST_ERR_OPTION('resumable', 'without topics: such a stream has one of its own', 'both')
  if (websocket !== undefined && resumable !== undefined) throw new PST_ERR_OPTION('resumable', 'without websocket: such a stream goes one way', 'both')
  if (topics !== undefined) checkRouteTopics(topics)
  const streaming = feeding(resumable === undefined ? handle : resuming(nameOf(fastify.prefix + path, options), { resumable, abandonAfter }, handle))
  const handler = topics === undefined ? streaming : subscribing(topics, streaming)
  const host = routeHost(fastify[kHost], options, resumable !== undefined || handle === subscribeOnly)
  // Fastify's HEAD twin comes along: it is answered without the handler.
  const method = options.method ?? 'GET'
  const config = { swaggerTransform: describeStream, ...options.config, [kHost]: host }
  if (websocket === undefined) {
    fastify.route({ ...options, url: path, handler, method, config })
  } else {
    const { upgrade, wsHandler } = upgrading(fastify, { websocket, topics, method, host, isAll })
    const schema = isAll ? { ...options.schema, hide: true } : options.schema   // OpenAPI has no WebSockets
    fastify.route({ ...options, schema: schema as FastifySchema, url: path, handler, wsHandler: wsHandler as never, method, config: { ...config, [kUpgrade]: upgrade } })
  }
  return fastify
}

// Tells it from every other route, and from none in a twin of this process.
function nameOf (url: string, { method = 'GET', constraints = {} }: AnyOptions): string {
  return JSON.stringify([method, url, constraints], (_key, value: unknown) => value instanceof RegExp ? String(value) : value)
}

// Subscribed before the handler runs: what is published from then on is not missed, and a refusal is a plain 403.
function subscribing (topics: RouteTopics<FastifyRequest>, handler: Handler): Handler {
  return function (request, reply) {
    const subscribed = subscribeTo(topics, request, reply.connection)
    return subscribed instanceof Promise ? subscribed.then(() => handler.call(this, request, reply)) : handler.call(this, request, reply)
  }
}

/** @param isEndless whether there is never all of it at once, which is what clients get who can't stream */
function routeHost (host: Host, options: AnyOptions, isEndless: boolean): Host {
  const settings = parseStreamOptions(options, host.settings)
  host.clock.cover(settings)
  const { maxConnections = Infinity, maxConnectionsPerKey = Infinity } = options
  const hasOwnLimits = maxConnections !== Infinity || maxConnectionsPerKey !== Infinity
  const formats = new Formats(isEndless ? settings.formats.filter((format) => format !== 'json') : settings.formats)
  const events = eventsOf(options.schema?.events)
  return { ...host, settings, formats, events, limits: hasOwnLimits ? [...host.limits, new Limits({ maxConnections, maxConnectionsPerKey })] : host.limits }
}

function eventsOf (schemas: unknown): EventSchemas | null {
  if (schemas === undefined) return null
  const isRight = typeof schemas === 'object' && schemas !== null && Object.values(schemas).every((schema) => typeof schema === 'object' && schema !== null)
  if (!isRight) throw new PST_ERR_OPTION('schema.events', 'an object of schemas by the type of the event', typeof schemas)
  return new EventSchemas(schemas as Record<string, unknown>)
}

export default fp(stream, { name: 'pastelli/stream', fastify: '5.x', dependencies: ['pastelli/reply'] })
