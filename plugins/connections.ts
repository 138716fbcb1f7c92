/** `fastify.connections`: the registry. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Registry } from '../lib/connection/registry.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The open streams of this instance and of those below it. */
    readonly connections: Registry
  }
}

function connections (fastify: FastifyInstance, _options: object, done: () => void): void {
  fastify.decorate('connections', new Registry(fastify.log))
  done()
}

export default fp(connections, { name: 'pastelli/connections', fastify: '5.x' })
