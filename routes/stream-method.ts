/** What `fastify.stream` takes, in types: for each way to declare a route, what its handler may return. */
import type {
  ContextConfigDefault, FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, FastifyTypeProvider, FastifyTypeProviderDefault,
  HTTPMethods, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerBase, RawServerDefault, RouteGenericInterface,
  RouteHandlerMethod, RouteShorthandOptions
} from 'fastify'
import type { Sent } from '../lib/connection/sender.ts'
import type { StreamOptions } from '../lib/options.ts'
import type { AnySource } from '../lib/source/source.ts'
import type { Producer } from '../lib/source/run.ts'
import type { StreamEvent } from '../lib/wire/stream-event.ts'
import type { Serialized } from '../plugins/reply.ts'
import type { ResumableKey } from './resumable.ts'
import type { RouteTopics } from './subscribing.ts'
import type { WebSocketHandler } from './websocket.ts'

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
