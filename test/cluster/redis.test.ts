/** Nodes on Redis: what they cost, and what is told of what others send there. */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { redisLog } from '../../logs/redis.ts'
import { counted, type Node, node, nodes, redisLogs } from '../support/cluster.ts'
import { nodeKeys as keys, type RedisServer, startRedis, withoutRedis } from '../support/redis.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const skip = withoutRedis()
const TTL = 1_000

async function callsOf (redis: RedisServer, command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(String(await redis.cli('INFO', 'commandstats')))?.[1] ?? 0)
}

async function connections (redis: RedisServer): Promise<number> {
  return String(await redis.cli('CLIENT', 'LIST')).trim().split('\n').length
}

await t.test('a thousand who come in one tick are told in a few commands', { skip }, async (t) => {
  const redis = await startRedis(t)
  const all = await nodes(t, redisLogs(t, redis, { nodeTimeout: 60_000 }), 2)
  const [one] = all as [Node, Node]
  const witness = new Witness(one.app)
  await subscribe(t, one.origin, '/x')
  const connection = await witness.open()
  await counted(all, 'x', 1)
  const before = await callsOf(redis, 'xadd')
  connection.subscribe(Array.from({ length: 1_000 }, (_, i) => `topic ${i}`), { presence: { text: 'x'.repeat(100) } })
  await counted(all, 'topic 999', 1)
  const calls = await callsOf(redis, 'xadd') - before
  t.ok(calls > 0 && calls <= 10, `${calls} messages`)
  t.ok(all.every(({ told }) => told.length === 1_001))
})

await t.test('who uses neither holds nothing open, and takes part as soon as another node does', { skip }, async (t) => {
  const redis = await startRedis(t)
  const logs = redisLogs(t, redis)
  const plain = (origin: string) => subscribe(t, origin, '/plain/a')
  const all: Node[] = []
  for (let i = 0; i < 2; i++) all.push(await node(t, await logs(), {}, (app) => { app.stream('/plain/a', { topics: 'a' }) }))
  const [one, other] = all as [Node, Node]
  const witness = new Witness(other.app)
  await plain(other.origin)
  const { id } = await witness.open()
  await until(() => one.app.topics.position === other.app.topics.position)
  t.same(await keys(redis), [])
  for (const end = performance.now() + 2_000; performance.now() < end && await connections(redis) !== 5;) await delay(5)
  t.equal(await connections(redis), 5, 'a client and a tail for each of the two, and what asks')
  t.equal(await one.app.connections.send({ id }, 'x'), true, 'the first time one asks, the others are woken')
  t.not(await keys(redis), [])
  await subscribe(t, other.origin, '/a?name=ada')
  await counted(all, 'a', 1)
  const late = await node(t, await logs())
  t.equal(late.app.presence.count('a'), 1, 'who starts later knows from the start')
  t.equal(await late.app.connections.send({ id }, 'x'), true)
})

await t.test('what can not be from a node is left out, and told once', { skip }, async (t) => {
  const redis = await startRedis(t)
  const all = await nodes(t, redisLogs(t, redis, { nodeTimeout: TTL }), 2)
  const [one] = all as [Node, Node]
  await subscribe(t, one.origin, '/a?name=ada')
  await counted(all, 'a', 1)
  const from = 'forged'
  const wrong = [
    '', '{', 'null', '1', '{"type":"bye"}', { type: 'bye', from: '' }, { type: 'bye', from: 'x\n' }, { type: 'bye', from: 7 }, { type: 'unknown', from },
    { type: 'said', from }, { type: 'said', from, after: 0, version: 1, changes: 7 }, { type: 'said', from, after: 0, version: 1, changes: [7] },
    { type: 'said', from, after: -1, version: 1, changes: [] }, { type: 'said', from, after: 0, version: 1.5, changes: [] },
    { type: 'said', from, after: 0, version: 1, changes: [['a', 'b', 'c']] }, { type: 'said', from, after: 0, version: 1, changes: [['a', 7]] },
    { type: 'said', from, after: 0, version: 1, changes: [['a', 'x'.repeat(9_000)]] }, { type: 'all', from, version: 1, part: 0, changes: [] }
  ]
  for (const message of wrong) await redis.cli('XADD', '{pastelli}:nodes:all', '*', 'message', typeof message === 'string' ? message : JSON.stringify(message))
  await redis.cli('HSET', '{pastelli}:nodes', 'x', 'y')
  await redis.cli('XADD', '{pastelli}:nodes:all', '*', 'message', JSON.stringify({ type: 'tell', from }))
  await redis.cli('XADD', '{pastelli}:nodes:all', '*', 'message', JSON.stringify({ type: 'said', from, after: 0, version: 1, changes: [['x a', '["eve",1,null]']] }))
  await counted(all, 'a', 2)
  t.equal(one.lines('what can not be from a node was left out').length, 1)
  await counted(all, 'a', 1)
  t.same(await redis.cli('HGET', '{pastelli}:nodes', 'x'), null)
  for (const { told } of all) t.same(told, ['join a ada', 'join a eve', 'leave a eve'], 'who lives by no means is gone')
})

await t.test('the time after which a node is dead is checked', async (t) => {
  const client = { call () {}, duplicate () {} } as never
  for (const nodeTimeout of [0, 1.5, -1, '1', 2 ** 31]) await t.rejects(redisLog({ client, nodeTimeout: nodeTimeout as number }), { code: 'PST_ERR_OPTION', message: /"nodeTimeout"/ })
})
