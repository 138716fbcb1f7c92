/**
 * `pastelli/phoenix`: Phoenix channels, for the clients of that framework.
 * @module pastelli/phoenix
 */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Limits } from '../lib/connection/limits.ts'
import type { Host } from '../lib/connection/host.ts'
import { parseStreamOptions } from '../lib/options.ts'
import { kHost } from '../lib/symbols.ts'
import type {} from '../plugins/host.ts'
import type {} from '../plugins/topics.ts'
import { longPoll } from './long-poll.ts'
import type { Shared } from './memberships.ts'
import { parse, type Parsed, type PhoenixOptions } from './options.ts'
import { Presences } from './presences.ts'
import { publish } from './publish.ts'
import { webSocket } from './websocket.ts'

/**
 * The socket that clients of Phoenix connect to, over a WebSocket or by long polling, and its channels.
 * @throws PST_ERR_OPTION
 */
async function phoenix (fastify: FastifyInstance, options: PhoenixOptions): Promise<void> {
  const host = fastify[kHost]
  const parsed = parse(options, host.settings)
  const { topics } = fastify
  const presences = new Presences((topic, diff) => { void publish(topics, topic, 'presence_diff', diff) })   // what fails is logged there
  const shared: Shared = { router: parsed.router, presences, topics, maxTopics: parsed.maxTopics }
  await fastify.register(async (scope) => { webSocket(scope, parsed, shared) }, { prefix: parsed.path })
  await fastify.register(async (scope) => { longPoll(scope, hostOf(host, parsed.stream), parsed, shared) }, { prefix: parsed.path })
}

function hostOf (host: Host, options: Parsed['stream']): Host {
  const { maxConnections = Infinity, maxConnectionsPerKey = Infinity } = options
  const settings = parseStreamOptions(options, host.settings)
  host.clock.cover(settings)
  return { ...host, settings, limits: [...host.limits, new Limits({ maxConnections, maxConnectionsPerKey })] }
}

/**
 * Sends to all members of a topic, from anywhere in the app.
 * @param payload JSON or bytes
 * @returns what `topics.publish` does
 * @throws PST_ERR_DATA, PST_ERR_TOPIC
 */
export function broadcast (fastify: Pick<FastifyInstance, 'topics'>, topic: string, event: string, payload: unknown = {}): string | Promise<string> {
  return publish(fastify.topics, topic, event, payload)
}

/** The plugin, as `register` takes it: any number of times, each on a path of its own. */
const plugin = fp(phoenix, { name: 'pastelli/phoenix', fastify: '5.x', dependencies: ['pastelli'], encapsulate: true })

export default plugin
export { plugin as phoenix }
export type { Answer, Channel, ChannelSocket, EndReason, Outcome } from './channel.ts'
export type { Connect, PhoenixOptions } from './options.ts'
export type { Meta, PresenceDiff, PresenceList } from './presences.ts'
