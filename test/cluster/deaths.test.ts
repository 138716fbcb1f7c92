/** Nodes that are killed, and nodes that stand still, as processes of their own. */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { another, counted, type Node, nodes, redisLogs } from '../support/cluster.ts'
import { nodeKeys, startRedis, withoutRedis } from '../support/redis.ts'
import { subscribe } from '../support/subscriber.ts'

const skip = withoutRedis()
const TTL = 1_000

await t.test('of a node that is killed all leaves are told in time, once on each other node, and nothing stays in Redis', { skip }, async (t) => {
  const redis = await startRedis(t)
  const all = await nodes(t, redisLogs(t, redis, { nodeTimeout: TTL }), 2)
  const [one] = all as [Node, Node]
  const victim = await another(t, ['redis', redis.socket, TTL])
  for (let i = 0; i < 50; i++) await subscribe(t, victim.origin, `/a?name=${i}`)
  await subscribe(t, one.origin, '/a?name=stays')
  await counted(all, 'a', 51)
  const began = performance.now()
  victim.child.kill('SIGKILL')
  t.equal(await one.app.connections.send({ id: 'x' }, 1, { timeout: 100 }).catch((err: { code: string }) => err.code), 'PST_ERR_SEND', 'who may have it does not answer')
  await counted(all, 'a', 1)
  const took = performance.now() - began
  t.ok(took < TTL * 1.5 + 500, `${took} ms`)
  for (const { app, told } of all) {
    t.same(told.filter((line) => line.startsWith('leave')).sort(), Array.from({ length: 50 }, (_, i) => `leave a ${i}`).sort())
    t.notOk(app.presence.nodes.includes(victim.id))
  }
  t.equal(await one.app.connections.send({ id: 'x' }, 1), false)
  const [last] = [await another(t, ['redis', redis.socket, TTL])]
  await Promise.all(all.map(({ app }) => app.close()))
  last.child.kill('SIGKILL')
  for (const end = performance.now() + 5_000; performance.now() < end && (await nodeKeys(redis)).length !== 0;) await delay(20)
  t.same(await nodeKeys(redis), [])
})

await t.test('a node that stood still for long is absent meanwhile, and then there with all its members', { skip }, async (t) => {
  const redis = await startRedis(t)
  const all = await nodes(t, redisLogs(t, redis, { nodeTimeout: TTL }), 2)
  const sleeper = await another(t, ['redis', redis.socket, TTL])
  await subscribe(t, sleeper.origin, '/a?name=ada')
  await subscribe(t, (all[0] as Node).origin, '/a?name=ben')
  await counted(all, 'a', 2)
  sleeper.child.kill('SIGSTOP')
  await counted(all, 'a', 1)
  sleeper.child.kill('SIGCONT')
  await counted(all, 'a', 2)
  for (const { app, told } of all) {
    t.ok(app.presence.nodes.includes(sleeper.id))
    t.same(told.filter((line) => line.endsWith('ada')), ['join a ada', 'leave a ada', 'join a ada'])
    t.same(told.filter((line) => line.endsWith('ben')), ['join a ben'], 'nothing befell the others')
  }
})
