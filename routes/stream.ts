/** `fastify.stream`: declares a route whose response stays open. */
import type {
  ContextConfigDefault, FastifyBaseLogger, FastifyInstance, FastifyRequest, FastifySchema, FastifyTypeProvider, FastifyTypeProviderDefault,
  HTTPMethods, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerBase, RawServerDefault, RouteGenericInterface,
  RouteHandlerMethod, RouteOptions, RouteShorthandOptions
} from 'fastify'
import fp from 'fastify-plugin'
import type { Host } from '../lib/connection/host.ts'
import { PST_ERR_ARGUMENT } from '../lib/errors.ts'
import { Limits } from '../lib/connection/limits.ts'
import { parseStreamOptions, type StreamOptions } from '../lib/options.ts'
import { kHost } from '../lib/symbols.ts'

/** `fastify.stream(path, [options], handler)`: GET by default, an event stream unless the handler says otherwise. */
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
      & StreamOptions<FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>> & { method?: HTTPMethods | HTTPMethods[] },
    handler: RouteHandlerMethod<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
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
type OwnOptions = Omit<RouteOptions, 'url' | 'handler' | 'method'> & StreamOptions<FastifyRequest> & { method?: RouteOptions['method'] }

function stream (fastify: FastifyInstance, _options: object, done: () => void): void {
  fastify.decorate('stream', function (this: FastifyInstance, path: string, ...rest: [Handler] | [OwnOptions, Handler]) {
    const [options, handler] = rest.length === 1 ? [{}, rest[0]] : rest
    if (typeof options !== 'object' || options === null) throw new PST_ERR_ARGUMENT('stream', 'options that are an object', typeof options)
    if (handler !== undefined && typeof handler !== 'function') throw new PST_ERR_ARGUMENT('stream', 'a handler that is a function', typeof handler)
    return declare(this, path, options, handler)
  } as never)
  done()
}

function declare (fastify: FastifyInstance, path: string, options: OwnOptions, handler: Handler): FastifyInstance {
  const host = routeHost(fastify[kHost], options)
  // Fastify's HEAD twin comes along: it is answered without the handler.
  fastify.route({ ...options, url: path, handler, method: options.method ?? 'GET', config: { ...options.config, [kHost]: host } })
  return fastify
}

function routeHost (host: Host, options: StreamOptions<FastifyRequest>): Host {
  const settings = parseStreamOptions(options, host.settings)
  host.clock.cover(settings)
  const { maxConnections = Infinity, maxConnectionsPerKey = Infinity } = options
  const hasOwnLimits = maxConnections !== Infinity || maxConnectionsPerKey !== Infinity
  return { ...host, settings, limits: hasOwnLimits ? [...host.limits, new Limits({ maxConnections, maxConnectionsPerKey })] : host.limits }
}

export default fp(stream, { name: 'pastelli/stream', fastify: '5.x', dependencies: ['pastelli/reply'] })
