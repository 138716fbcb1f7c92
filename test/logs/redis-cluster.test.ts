/** The log in a Redis Cluster: on the node that has its slot, and where that goes. */
import t from 'tap'
import { redisLog, type RedisLogOptions } from '../../logs/redis.ts'
import { counted, node as startNode, type Node } from '../support/cluster.ts'
import { withoutRedis } from '../support/redis.ts'
import { startRedisCluster } from '../support/redis-cluster.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const skip = withoutRedis()
const KINDS = ['ioredis', 'redis'] as const

await t.test('in a Redis Cluster', { skip }, async (t) => {
  const redis = await startRedisCluster(t)
  for (const kind of KINDS) {
    await t.test(`two nodes are one app, and stay so when their slot goes to another node of Redis, through clients of ${kind}`, async (t) => {
      const options = { name: kind, nodeTimeout: 1_000 }
      const start = async () => await startNode(t, await redisLog({ client: await redis.client(t, kind), ...options }), {}, (app) => { app.stream('/plain/a', { topics: 'a' }) })
      const nodes = [await start(), await start()] as [Node, Node]
      const [one, other] = nodes
      const client = await subscribe(t, one.origin, '/plain/a')
      await subscribe(t, other.origin, '/a?name=ada')
      await counted(nodes, 'a', 1)
      for (let n = 0; n < 10; n++) await other.app.topics.publish('a', n)
      await client.count(10)

      await redis.move(`{${kind}}:log`)
      for (let n = 10; n < 20; n++) await other.app.topics.publish('a', n)
      await client.count(20)
      await subscribe(t, one.origin, '/a?name=ben')
      await counted(nodes, 'a', 2)
      const late = await subscribe(t, other.origin, '/plain/a', { lastEventId: client.ids[4] as string })
      await late.count(15)
      const upTo = (from: number) => Array.from({ length: 20 - from }, (_, n) => String(from + n))
      t.same([client.data, late.data], [upTo(0), upTo(5)])
      t.same([client.gaps, late.gaps], [[], []])
      t.same(nodes.flatMap(({ told }) => told.filter((line) => line.startsWith('leave'))), [], 'and nobody left for that')
      await until(() => one.app.topics.position === other.app.topics.position)
    })
  }

  await t.test('what is another thing than a client is refused', async (t) => {
    const sentinel = { sendCommand () {}, duplicate () {}, getMasterNode () {} }
    for (const client of [sentinel, { nodes () {} }, { nodeClient () {} }]) {
      await t.rejects(redisLog({ client } as unknown as RedisLogOptions), { code: 'PST_ERR_OPTION', message: /a client of ioredis or redis/ })
    }
  })
})
