/** `fastify.topics`: publish, and who is subscribed. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Settings } from '../lib/options.ts'
import type { Log } from '../lib/topics/log.ts'
import { Rights } from '../lib/topics/rights.ts'
import { Topics } from '../lib/topics/topics.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What is published here, and to whom it goes. */
    readonly topics: Topics
  }
}

function topics (fastify: FastifyInstance, { settings, log }: { settings: Readonly<Settings>, log: Log }, done: () => void): void {
  const { connections } = fastify
  const { canSubscribe, coalesce } = settings
  const rights = canSubscribe === null ? null : new Rights(canSubscribe)
  const topics = new Topics(log, rights, () => [...connections, ...connections.opening], coalesce, fastify.log)
  fastify.decorate('topics', topics)
  fastify.addHook('onClose', async () => { await topics.stop() })
  done()
}

export default fp(topics, { name: 'pastelli/topics', fastify: '5.x', dependencies: ['pastelli/connections'] })
