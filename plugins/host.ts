/** What connections have in common, where the verbs and the routes find it: the settings, the clock, the limits. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Clock } from '../lib/connection/clock.ts'
import { Formats } from '../lib/connection/formats.ts'
import type { Host } from '../lib/connection/host.ts'
import { Limits } from '../lib/connection/limits.ts'
import type { Settings } from '../lib/options.ts'
import { Producers } from '../lib/source/producers.ts'
import { kCluster, kHost } from '../lib/symbols.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** @internal */
    readonly [kHost]: Host
  }
}

function host (fastify: FastifyInstance, { settings }: { settings: Readonly<Settings> }, done: () => void): void {
  const { connections: registry, topics, presence } = fastify
  const clock = new Clock(registry)
  clock.cover(settings)
  const producers = new Producers(topics, fastify[kCluster], fastify.log)
  fastify.decorate(kHost, { settings, registry, clock, topics, presence, producers, limits: [new Limits(settings)], formats: new Formats(settings.formats), events: null })
  fastify.addHook('preClose', async () => { producers.stop() })
  fastify.addHook('onClose', async () => { clock.stop() })
  done()
}

export default fp(host, { name: 'pastelli/host', fastify: '5.x', dependencies: ['pastelli/connections', 'pastelli/topics', 'pastelli/presence'] })
