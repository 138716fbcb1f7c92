/** `fastify.presence`: who is connected to a topic, on all nodes; and the way from one node to the connections of another. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Cluster } from '../lib/cluster/cluster.ts'
import { Presence } from '../lib/cluster/presence.ts'
import { Sends } from '../lib/cluster/sends.ts'
import { kCluster } from '../lib/symbols.ts'
import type { Log } from '../lib/topics/log.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Who is connected to a topic, on all nodes that share the log. */
    readonly presence: Presence
    /** @internal */
    readonly [kCluster]: Cluster
  }
}

function presence (fastify: FastifyInstance, { log }: { log: Log }, done: () => void): void {
  const { connections } = fastify
  const cluster = new Cluster(log, fastify.log)
  const sends = new Sends(cluster, connections, fastify.log)
  connections.sendBy(sends)
  fastify.decorate(kCluster, cluster)
  fastify.decorate('presence', new Presence(cluster, fastify.log))
  fastify.addHook('onReady', async () => { await cluster.start() })
  fastify.addHook('onClose', async () => {
    sends.stop()
    await cluster.stop()
  })
  done()
}

export default fp(presence, { name: 'pastelli/presence', fastify: '5.x', dependencies: ['pastelli/connections'] })
