/** A cluster of Redis of the test's own: two nodes, each with half of the slots. */
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import type { Test } from 'tap'
import type { RedisClient } from '../../logs/redis.ts'
import { freePort } from './free-port.ts'
import { type Kind, type RedisServer, startRedis } from './redis.ts'

const HOST = '127.0.0.1'
const SLOTS = [['0', '8191'], ['8192', '16383']] as const

// Nodes find each other, and wait for some seconds before they take anything.
const PATIENCE = 20_000

interface Node { readonly server: RedisServer, readonly id: string, readonly port: number, readonly bus: number }

export class RedisCluster {
  readonly nodes: readonly Node[]

  constructor (nodes: readonly Node[]) {
    this.nodes = nodes
  }

  /** The node that has the key, and the other one. */
  async owner (key: string): Promise<[owner: Node, other: Node]> {
    const [one, other] = this.nodes as [Node, Node]
    const isFirst = await one.server.cli('EXISTS', key).then(() => true, () => false)
    return isFirst ? [one, other] : [other, one]
  }

  /** Moves the slot of the key, with all that is in it, to the other node, as `redis-cli --cluster reshard` does. */
  async move (key: string): Promise<void> {
    const [from, to] = await this.owner(key)
    const slot = String(await from.server.cli('CLUSTER', 'KEYSLOT', key))
    await to.server.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
    await from.server.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
    const keys = await from.server.cli('CLUSTER', 'GETKEYSINSLOT', slot, '1000') as string[]
    await from.server.cli('MIGRATE', HOST, String(to.port), '', '0', '5000', 'KEYS', ...keys)
    for (const { server } of [to, from]) await server.cli('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
  }

  /** A client of the cluster, connected, which goes away with the test. */
  async client (t: Test, kind: Kind): Promise<RedisClient> {
    if (kind === 'ioredis') {
      const client = new Cluster(this.nodes.map(({ port }) => ({ port, host: HOST })))
      client.on('error', () => {})
      t.teardown(() => { client.disconnect() })
      return client
    }
    const client = createCluster({ rootNodes: this.nodes.map(({ port }) => ({ socket: { port, host: HOST } })) })
    client.on('error', () => {})
    await client.connect()
    t.teardown(() => { client.destroy() })
    return client
  }
}

/** Ends with the test. */
export async function startRedisCluster (t: Test): Promise<RedisCluster> {
  const nodes = await Promise.all(SLOTS.map(async (slots) => {
    const [port, bus] = [await freePort(), await freePort()]
    const server = await startRedis(t, '--port', String(port), '--bind', HOST, '--cluster-enabled', 'yes', '--cluster-port', String(bus))
    await server.cli('CLUSTER', 'ADDSLOTSRANGE', ...slots)
    return { server, port, bus, id: String(await server.cli('CLUSTER', 'MYID')) }
  }))
  const [one, other] = nodes as [Node, Node]
  await one.server.cli('CLUSTER', 'MEET', HOST, String(other.port), String(other.bus))
  for (const { server } of nodes) {
    for (const end = performance.now() + PATIENCE; !/cluster_state:ok[^]*cluster_known_nodes:2/.test(String(await server.cli('CLUSTER', 'INFO')));) {
      if (performance.now() > end) throw new Error('the nodes did not become a cluster')
      await delay(50)
    }
  }
  return new RedisCluster(nodes)
}
