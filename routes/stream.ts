/** `fastify.stream`: declares a route whose response stays open. */
import type {
  ContextConfigDefault, FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, FastifyTypeProvider, FastifyTypeProviderDefault,
  HTTPMethods, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerBase, RawServerDefault, RouteGenericInterface,
  RouteHandlerMethod, RouteOptions, RouteShorthandOptions
} from 'fastify'
import fp from 'fastify-plugin'
import { Formats } from '../lib/connection/formats.ts'
import type { Host } from '../lib/connection/host.ts'
import { PST_ERR_ARGUMENT, PST_ERR_OPTION } from '../lib/errors.ts'
import { Limits } from '../lib/connection/limits.ts'
import { isThenable, type Reply, varyByAccept } from '../lib/connection/take-over.ts'
import { parseStreamOptions, type StreamOptions } from '../lib/options.ts'
import { kHost } from '../lib/symbols.ts'
import { answerWith } from '../lib/source/answer.ts'
import { collect } from '../lib/source/collect.ts'
import { type Source, toSource } from '../lib/source/source.ts'
import { checkTopics, type TopicName } from '../lib/topics/topics.ts'

/** What the stream is subscribed to before its handler runs. */
export type RouteTopics<Request> = TopicName | readonly TopicName[] | ((request: Request) => TopicName | readonly TopicName[] | Promise<TopicName | readonly TopicName[]>)

/** What the route has besides Fastify's own options. */
export interface OwnOptions<Request> extends StreamOptions<Request> {
  /** @default 'GET' */
  method?: HTTPMethods | HTTPMethods[]
  topics?: RouteTopics<Request>
}

/** `fastify.stream(path, [options], handler)`: GET by default, an event stream unless the handler says otherwise. With `topics`, the handler may be left out. */
export interface StreamMethod<
  RawServer extends RawServerBase = RawServerDefault,
  RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
  RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
  Logger extends FastifyBaseLogger = FastifyBaseLogger,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault
> {
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    options: RouteShorthandOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & OwnOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>,
    handler: RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    options: RouteShorthandOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      & OwnOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>>
      & { topics: RouteTopics<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>> }
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  <RouteGeneric extends RouteGenericInterface = RouteGenericInterface, ContextConfig = ContextConfigDefault, const SchemaCompiler extends FastifySchema = FastifySchema>(
    path: string,
    handler: RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
  ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
}

declare module 'fastify' {
  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    stream: StreamMethod<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }
}

type Handler = RouteOptions['handler']
type AnyOptions = Omit<RouteOptions, 'url' | 'handler' | 'method'> & OwnOptions<FastifyRequest>

function stream (fastify: FastifyInstance, _options: object, done: () => void): void {
  fastify.decorate('stream', function (this: FastifyInstance, path: string, ...rest: [Handler] | [AnyOptions, Handler?]) {
    const [options, handler] = rest.length === 1 && typeof rest[0] === 'function' ? [{}, rest[0]] : [rest[0] as AnyOptions, rest[1]]
    if (typeof options !== 'object' || options === null) throw new PST_ERR_ARGUMENT('stream', 'options that are an object', typeof options)
    if (handler === undefined && options.topics === undefined) throw new PST_ERR_ARGUMENT('stream', 'a handler where no topics are given', 'undefined')
    if (handler !== undefined && typeof handler !== 'function') throw new PST_ERR_ARGUMENT('stream', 'a handler that is a function', typeof handler)
    return declare(this, path, options, handler ?? (() => {}))
  } as never)
  done()
}

function declare (fastify: FastifyInstance, path: string, { topics, ...options }: AnyOptions, handle: Handler): FastifyInstance {
  const streaming = feeding(handle)
  const handler = topics === undefined ? streaming : subscribing(topics, streaming)
  const host = routeHost(fastify[kHost], options)
  // Fastify's HEAD twin comes along: it is answered without the handler.
  fastify.route({ ...options, url: path, handler, method: options.method ?? 'GET', config: { ...options.config, [kHost]: host } })
  return fastify
}

// Subscribed before the handler runs: what is published from then on is not missed, and a refusal is a plain 403.
function subscribing (topics: RouteTopics<FastifyRequest>, handler: Handler): Handler {
  if (typeof topics !== 'function' && typeof topics !== 'string' && !Array.isArray(topics)) throw new PST_ERR_OPTION('topics', 'a topic, an array of them, or a function from a request to them', typeof topics)
  if (typeof topics !== 'function') checkTopics(topics)
  return function (request, reply) {
    const named = typeof topics === 'function' ? topics(request) : topics
    const subscribed = named instanceof Promise
      ? named.then((names) => reply.connection.subscribe(names))
      : reply.connection.subscribe(named)
    return subscribed instanceof Promise ? subscribed.then(() => handler.call(this, request, reply)) : handler.call(this, request, reply)
  }
}

// What a handler returns that is a source becomes the stream; or, for a client that can't stream, all of it at once.
function feeding (handler: Handler): Handler {
  return function (request, reply) {
    const result = handler.call(this, request, reply) as unknown
    if (result !== reply && isThenable(result)) return result.then((value) => answer(reply, value))
    return answer(reply, result)
  }
}

function answer (reply: FastifyReply, result: unknown): unknown {
  const { connection } = reply
  const source = result === reply ? null : toSource(result)
  if (source === null) {
    if (result === undefined && connection.wantsJson && !reply.sent) throw connection.refusal
    return result
  }
  if (result instanceof Response) copyHead(reply, result)
  return connection.wantsJson ? collected(reply, source) : answerWith(connection, source)
}

async function collected (reply: FastifyReply, source: Source): Promise<string | undefined> {
  const json = await collect(reply.connection, source, reply.server[kHost].settings.maxBuffered)
  if (json === null) return undefined   // the client has left
  varyByAccept(reply as Reply)
  reply.type('application/json; charset=utf-8')
  return json
}

// What a fetched response says of itself, unless the app has said otherwise.
function copyHead (reply: FastifyReply, { status, headers }: Response): void {
  const type = headers.get('content-type')
  if (type !== null && !reply.hasHeader('content-type')) reply.type(type)
  if (reply.statusCode === 200) reply.code(status)
}

function routeHost (host: Host, options: StreamOptions<FastifyRequest>): Host {
  const settings = parseStreamOptions(options, host.settings)
  host.clock.cover(settings)
  const { maxConnections = Infinity, maxConnectionsPerKey = Infinity } = options
  const hasOwnLimits = maxConnections !== Infinity || maxConnectionsPerKey !== Infinity
  const formats = new Formats(settings.formats)
  return { ...host, settings, formats, limits: hasOwnLimits ? [...host.limits, new Limits({ maxConnections, maxConnectionsPerKey })] : host.limits }
}

export default fp(stream, { name: 'pastelli/stream', fastify: '5.x', dependencies: ['pastelli/reply'] })
