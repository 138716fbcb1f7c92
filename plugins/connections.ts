/** `fastify.connections`: the registry, its clock and its limits. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Clock } from '../lib/connection/clock.ts'
import type { Host } from '../lib/connection/host.ts'
import { Limits } from '../lib/connection/limits.ts'
import { Registry } from '../lib/connection/registry.ts'
import type { Settings } from '../lib/options.ts'
import { kHost } from '../lib/symbols.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The open streams of this instance and of those below it. */
    readonly connections: Registry
    /** @internal */
    readonly [kHost]: Host
  }
}

function connections (fastify: FastifyInstance, { settings }: { settings: Readonly<Settings> }, done: () => void): void {
  const registry = new Registry(fastify.log)
  const clock = new Clock(registry)
  clock.cover(settings)
  fastify.decorate('connections', registry)
  fastify.decorate(kHost, { settings, registry, clock, limits: [new Limits(settings)] })
  fastify.addHook('onClose', async () => { clock.stop() })
  done()
}

export default fp(connections, { name: 'pastelli/connections', fastify: '5.x' })
