/** Nodes in one process, on Redis and on NATS. */
import t from 'tap'
import { LocalNodes } from '../../lib/cluster/local-nodes.ts'
import type { Nodes } from '../../lib/cluster/nodes.ts'
import { natsLog } from '../../logs/nats.ts'
import { redisLog } from '../../logs/redis.ts'
import { nodesContract } from '../contract/nodes.ts'
import { startNats, withoutNats } from '../support/nats.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'

const skip = withoutRedis()
let names = 0

await t.test('the apps of one process keep the contract of nodes', async (t) => {
  nodesContract(t, async () => {
    const nodes = new LocalNodes()
    return async () => nodes
  })
})

for (const kind of ['ioredis', 'redis'] as const) {
  await t.test(`nodes on Redis keep the contract, through clients of ${kind}`, { skip }, async (t) => {
    const redis = await startRedis(t)
    nodesContract(t, async (t) => {
      const name = `nodes ${names++}`
      return async () => (await redisLog({ client: await redis.client(t, kind), name })).nodes as Nodes
    })
  })
}

await t.test('nodes on NATS keep the contract', { skip: withoutNats() }, async (t) => {
  const nats = await startNats(t)
  nodesContract(t, async (t) => {
    const name = `nodes-${names++}`
    return async () => (await natsLog({ client: await nats.client(t), name })).nodes as Nodes
  })
})
