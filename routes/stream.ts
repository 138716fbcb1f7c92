/** `fastify.stream`: declares a route whose response stays open. */
import type { FastifyInstance, FastifyRequest, FastifySchema, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { EventSchemas } from '../lib/connection/event-schemas.ts'
import { Formats } from '../lib/connection/formats.ts'
import type { Host } from '../lib/connection/host.ts'
import { PST_ERR_ARGUMENT, PST_ERR_OPTION } from '../lib/errors.ts'
import { Limits } from '../lib/connection/limits.ts'
import { parseStreamOptions, show } from '../lib/options.ts'
import { kHost, kUpgrade } from '../lib/symbols.ts'
import { describeStream } from './describe.ts'
import { feeding } from './feeding.ts'
import { resuming } from './resumable.ts'
import type { OwnOptions, StreamMethod, WithWebSocket } from './stream-method.ts'
import { checkRouteTopics, type RouteTopics, subscribeTo } from './subscribing.ts'
import { refuseAllElse, upgrading } from './websocket.ts'

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
  if (resumable === undefined && abandonAfter !== undefined) throw new PST_ERR_OPTION('abandonAfter', 'given with resumable: no other stream is abandoned', show(abandonAfter))
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
