/**
 * Pastelli: responses that stay open, as a Fastify plugin.
 * @module pastelli
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { PST_ERR_REGISTERED } from './lib/errors.ts'
import { type Options, parseOptions } from './lib/options.ts'
import type { Log } from './lib/topics/log.ts'
import { MemoryLog } from './lib/topics/memory-log.ts'
import type { Retention } from './lib/topics/retained.ts'
import connections from './plugins/connections.ts'
import host from './plugins/host.ts'
import presence from './plugins/presence.ts'
import reply from './plugins/reply.ts'
import shutdown from './plugins/shutdown.ts'
import strayBytes from './plugins/stray-bytes.ts'
import topics from './plugins/topics.ts'
import websocket from './plugins/websocket.ts'
import stream from './routes/stream.ts'
import type { OwnOptions } from './routes/stream-method.ts'

/** What `register` takes. */
export interface PastelliOptions extends Options<FastifyRequest> {}

/** What a stream route takes besides Fastify's own route options. */
export interface StreamOptions extends OwnOptions<FastifyRequest> {}

/**
 * Adds `fastify.stream`, `fastify.connections`, `fastify.topics`, `fastify.presence` and the streaming verbs on `reply`.
 * @throws PST_ERR_OPTION, PST_ERR_REGISTERED
 */
async function pastelli (fastify: FastifyInstance, options: PastelliOptions): Promise<void> {
  if (fastify.hasDecorator('connections')) throw new PST_ERR_REGISTERED()
  const settings = parseOptions(options)
  await fastify.register(connections)
  const log = settings.log ?? new MemoryLog()
  await fastify.register(topics, { settings, log })
  await fastify.register(presence, { log })
  await fastify.register(host, { settings })
  await fastify.register(websocket, { settings })
  await fastify.register(shutdown)
  await fastify.register(strayBytes)
  await fastify.register(reply)
  await fastify.register(stream)
}

/**
 * A log in this process's memory: bounded, and gone with the process.
 * @throws PST_ERR_OPTION
 */
export function memoryLog (retention?: Partial<Retention>): Log {
  return new MemoryLog(retention)
}

/** The plugin, as `register` takes it. */
const plugin = fp(pastelli, { name: 'pastelli', fastify: '5.x' })

export default plugin
export { plugin as pastelli }
export { describeStream } from './routes/describe.ts'
export { event } from './lib/wire/stream-event.ts'
export type {} from './plugins/connections.ts'
export type {} from './plugins/presence.ts'
export type {} from './plugins/reply.ts'
export type {} from './plugins/topics.ts'
export type {} from './routes/stream.ts'
export type { Connection, ConnectionState } from './lib/connection/connection.ts'
export type { Sent } from './lib/connection/sender.ts'
export type { Phase } from './lib/connection/lifecycle.ts'
export type { DiagnosticsMessages } from './lib/diagnostics.ts'
export type { CloseReason } from './lib/connection/reasons.ts'
export type { Registry, RegistryEvents } from './lib/connection/registry.ts'
export type { TransportName } from './lib/connection/transport.ts'
export type { Nodes, NodeWatcher, OwnNode } from './lib/cluster/nodes.ts'
export type { Presence, PresenceEvents, PresenceMember } from './lib/cluster/presence.ts'
export type { SendOptions, SendTarget } from './lib/cluster/sends.ts'
export type { GapReason } from './lib/topics/gap.ts'
export type { PublishOptions } from './lib/topics/draft.ts'
export type { Batch, Stock, Watcher } from './lib/topics/log.ts'
export type { Position } from './lib/topics/position.ts'
export type { Draft, Record } from './lib/topics/record.ts'
export type { TopicEvent } from './lib/topics/selection.ts'
export type { Payload, SubscribeOptions, TopicMap, TopicName, Topics, TopicsEvents } from './lib/topics/topics.ts'
export type { Log, Retention }
export type { Producer } from './lib/source/run.ts'
export type { Coding } from './lib/connection/coding.ts'
export type { FormatName } from './lib/connection/formats.ts'
export type { CustomFormat, FormatEvent } from './lib/wire/format.ts'
export type { StreamEvent, StreamEventFields } from './lib/wire/stream-event.ts'
export type { EventOptions } from './lib/wire/event-stream.ts'
export type { AnySource } from './lib/source/source.ts'
export type { AllowedOrigins } from './lib/connection/origins.ts'
export type { EncodeMessage } from './lib/wire/websocket.ts'
export type { StreamHandler, StreamMethod } from './routes/stream-method.ts'
export type { WebSocketAnswer, WebSocketHandler } from './routes/websocket.ts'
