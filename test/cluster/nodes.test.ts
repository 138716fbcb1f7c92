/** Nodes in one process, and on Redis. */
import t from 'tap'
import { LocalNodes } from '../../lib/cluster/local-nodes.ts'
import type { Nodes } from '../../lib/cluster/nodes.ts'
import { redisLog } from '../../logs/redis.ts'
import { nodesContract } from '../contract/nodes.ts'
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
