/** Nodes on a Redis that fails, is emptied, or stands still. */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { acquainted, counted, type Node, node, nodes, redisLogs } from '../support/cluster.ts'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.ts'
import { subscribe } from '../support/subscriber.ts'
import { Witness } from '../support/witness.ts'

const skip = withoutRedis()
const TTL = 1_000

for (const [what, befall] of [
  ['is emptied', async (redis) => { await redis.cli('FLUSHALL') }],
  ['is killed, and starts empty', async (redis) => {
    await redis.kill()
    await redis.start()
  }],
  ['stands still for longer than a node may', async (redis) => {
    redis.suspend()
    await delay(TTL * 2)
    redis.resume()
  }]
] as Array<[what: string, befall: (redis: RedisServer) => Promise<void>]>) {
  await t.test(`when Redis ${what}, nobody leaves, and what changes then is known everywhere`, { skip }, async (t) => {
    const redis = await startRedis(t)
    const logs = redisLogs(t, redis, { nodeTimeout: TTL })
    const all = await nodes(t, logs, 3)
    const [one, other] = all as [Node, Node, Node]
    const witness = new Witness(one.app)
    for (const { origin } of all) await subscribe(t, origin, '/a')
    await counted(all, 'a', 3)
    const befalling = befall(redis)
    await subscribe(t, one.origin, '/a')
    await befalling
    ;(await witness.open()).close()
    await subscribe(t, other.origin, '/b')
    await counted(all, 'b', 1)
    await counted(all, 'a', 3)
    await delay(TTL * 1.5)   // in which the dead would be found
    for (const { told } of all) t.same(told.filter((line) => line.startsWith('leave')), ['leave a -'])
    const late = await node(t, await logs())
    await acquainted([...all, late])
    await counted([late], 'a', 3)
    const { id } = await witness.open(1)
    t.equal(await late.app.connections.send({ id }, 'x'), true)
  })
}

await t.test('while Redis is away, sends fail in time, unless the connection is here', { skip }, async (t) => {
  const redis = await startRedis(t)
  const [one] = await nodes(t, redisLogs(t, redis, { nodeTimeout: TTL }), 2) as [Node, Node]
  const witness = new Witness(one.app)
  const client = await subscribe(t, one.origin, '/a?name=ada')
  const { id } = await witness.open()
  t.equal(await one.app.connections.send({ id: 'x' }, 1), false)
  redis.suspend()
  const began = performance.now()
  t.equal(await one.app.connections.send({ id }, 'here'), true)
  await t.rejects(one.app.connections.send({ id: 'x' }, 1, { timeout: 300 }), { code: 'PST_ERR_SEND', message: /within 300 ms/ })
  await t.rejects(one.app.connections.send({ name: 'ada' }, 'by name', { timeout: 300 }), { code: 'PST_ERR_SEND' })
  t.ok(performance.now() - began < 1_500)
  await one.logged('the other nodes can not be heard')
  await t.rejects(one.app.connections.send({ id: 'x' }, 1), { code: 'PST_ERR_SEND', message: /not heard/ })
  redis.resume()
  await one.logged('the other nodes are heard again')
  t.equal(await one.app.connections.send({ id: 'x' }, 1), false)
  await client.count(2)
  t.same(client.data, ['here', 'by name'])
})
