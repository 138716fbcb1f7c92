/** Resumable streams where several processes share the log: one of them feeds a stream, and the clients are at any. */
import t from 'tap'
import { redisLog } from '../../logs/redis.ts'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.ts'
import { resumableNode, twoNodes } from '../support/resumable.ts'
import { Script } from '../support/script.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const skip = withoutRedis()
const GONE = '{"message":"The stream failed"}'

/** What the nodes have said of themselves so far. */
async function said (redis: RedisServer): Promise<string[]> {
  const entries = await redis.cli('XRANGE', '{pastelli}:nodes:all', '-', '+') as Array<[id: string, fields: string[]]>
  return entries.map(([, [, text = '']]) => text)
}

await t.test('of processes that are asked for the same stream at once, one feeds it, and all clients get all of it', { skip }, async (t) => {
  const { script, one, other } = await twoNodes(t)
  script.give('t1', 't2')
  const keys = Array.from({ length: 20 }, (_, n) => `key-${n}`)
  const clients = await Promise.all(keys.flatMap((key) => [one, other, one, other].map(({ origin }) => subscribe(t, origin, `/${key}`))))
  for (const client of clients) await client.count(2)
  script.give('t3').end()
  for (const client of clients) {
    await client.ended()
    t.same([client.data, client.gaps], [['t1', 't2', 't3'], []])
  }
  t.same(script.runs.map(({ key }) => key).sort(), [...keys].sort(), 'one run for each')
  const late = await subscribe(t, other.origin, '/key-0')
  await late.ended()
  t.same(late.data, ['t1', 't2', 't3'])
  t.equal((await subscribe(t, one.origin, '/key-0', { lastEventId: late.lastEventId })).status, 204)
})

await t.test('a process that closes ends what it feeds at once, for the clients of others', { skip }, async (t) => {
  const { script, one, other } = await twoNodes(t, { errorData: (error) => (error as Error).message })
  script.give('t1')
  const here = await subscribe(t, one.origin, '/a')
  await here.count(1)
  const there = await subscribe(t, other.origin, '/a')
  await there.count(1)
  const began = performance.now()
  await one.app.close()
  await there.ended()
  t.ok(performance.now() - began < 4_000, 'without waiting to find out')
  t.match(there.data, ['t1', /stopped before its end: shutdown/])
  t.equal(script.runs[0]?.signal.reason, 'shutdown')
})

await t.test('it runs on while clients of other processes listen, and is abandoned when nobody does any more', { skip }, async (t) => {
  const { script, one, other } = await twoNodes(t, { abandonAfter: 300 })
  script.give('t1')
  const here = await subscribe(t, one.origin, '/a')
  await here.count(1)
  const there = await subscribe(t, other.origin, '/a')
  await there.count(1)
  here.leave()
  await until(() => one.app.connections.size === 0)
  await new Promise((resolve) => setTimeout(resolve, 900))
  t.equal(script.runs[0]?.signal.aborted, false)
  script.give('t2')
  await there.count(2)
  there.leave()
  await until(() => script.runs[0]?.signal.aborted, 'it is abandoned')
})

await t.test('what fails before its first event is left to the next one, at any process', { skip }, async (t) => {
  const redis = await startRedis(t)
  const failing = new Script()
  const good = new Script()
  const one = await resumableNode(t, redis, failing)
  const other = await resumableNode(t, redis, good)
  failing.fail(Object.assign(new Error('not today'), { statusCode: 503 }))
  const refused = await subscribe(t, one.origin, '/a')
  t.equal(refused.status, 503)
  good.give('t1').end()
  const client = await subscribe(t, other.origin, '/a')
  await client.ended()
  t.same([client.data, client.gaps], [['t1'], []])
  const again = await subscribe(t, one.origin, '/a')
  await again.ended()
  t.same([again.data, failing.runs.length], [['t1'], 1])
})

await t.test('what fails before its first event is tried once by another process whose clients wait for it', { skip }, async (t) => {
  for (const [isGood, told, failures] of [[true, ['t1'], 0], [false, [GONE], 1]] as const) {
    const redis = await startRedis(t)
    const failing = new Script()
    const next = isGood ? new Script().give('t1').end() : failing
    const one = await resumableNode(t, redis, failing)
    const other = await resumableNode(t, redis, next, '/:id', { errorData: () => ({ message: 'The stream failed' }) })
    const refused = subscribe(t, one.origin, '/a')
    await until(() => failing.runs.length === 1)
    const client = await subscribe(t, other.origin, '/a')
    failing.fail(Object.assign(new Error('not today'), { statusCode: 503 }))
    t.equal((await refused).status, 503)
    await client.ended()
    t.same([client.data, client.gaps], [told, []])
    t.equal(failing.runs.length + (isGood ? next.runs.length : 0), 2)
    t.equal(other.noise().length, failures)
  }
})

await t.test('a process that was taken for dead stops when it finds that its stream has ended', { skip }, async (t) => {
  const { redis, script, one, other } = await twoNodes(t)
  const log = await redisLog({ client: await redis.client(t, 'ioredis') })
  let topic = ''
  const unfollow = log.follow(({ data, topic: name }) => { if (data === 't1') topic = name })
  t.teardown(unfollow)
  script.give('t1')
  const here = await subscribe(t, one.origin, '/a')
  await here.count(1)
  await until(() => topic !== '')
  await log.append({ topic, data: GONE, json: true, event: 'error', ends: 'error', key: 'end' })
  await here.ended()
  await until(() => script.runs[0]?.isOver, 'it stops')
  const late = await subscribe(t, one.origin, '/a')
  await late.ended()
  t.same(late.data, ['t1', GONE], 'and has written nothing more')
  t.same([one, other].flatMap(({ noise }) => noise()), [])
})

await t.test('a stream that has its end before its first event runs no second time, which could not end', { skip }, async (t) => {
  const { redis, script, one, other } = await twoNodes(t)
  const log = await redisLog({ client: await redis.client(t, 'ioredis') })
  let topic = ''
  const unfollow = log.follow(({ begins, topic: name }) => { if (begins) topic = name })
  t.teardown(unfollow)
  const here = subscribe(t, one.origin, '/a')
  await until(() => topic !== '' && script.runs.length === 1)
  await log.append({ topic, data: GONE, json: true, event: 'error', ends: 'error', key: 'end' })
  await (await here).ended()
  await until(() => script.runs[0]?.isOver, 'it stops')
  for (const { origin } of [one, other]) {
    const late = await subscribe(t, origin, '/a')
    await late.ended()
    t.same(late.data, [GONE])
  }
  t.equal(script.runs.length, 1)
  t.same([one, other].flatMap(({ noise }) => noise()), [])
})

await t.test('a client that takes its time for a stream that has ended is nothing to be watched', { skip }, async (t) => {
  const { redis, script, one, other } = await twoNodes(t)
  script.give(...Array.from({ length: 80 }, () => 'x'.repeat(100_000))).end()
  const first = await subscribe(t, one.origin, '/a')
  await first.ended()
  const slow = (await connect(t, other.port)).get('/a')
  slow.pause()
  await until(() => other.app.connections.size === 1)
  await other.app.connections.send({ name: 'nobody' }, '')   // the nodes know of each other by then
  const hears = (await said(redis)).filter((text) => text.includes('hears'))
  t.ok(hears.length !== 0, 'as the first client was')
  t.notOk(hears.some((text) => text.includes(other.app.presence.node)))
  slow.leave()
})

await t.test('a client that accepts no stream is refused, and nobody waits for that stream', { skip }, async (t) => {
  const { redis, script, one } = await twoNodes(t)
  script.give('t1')
  await one.app.connections.send({ name: 'nobody' }, '')   // the nodes know of each other by then
  t.equal((await fetch(`${one.origin}/refused`, { headers: { accept: 'image/png' } })).status, 406)
  await (await subscribe(t, one.origin, '/served')).count(1)
  let hears: string[] = []
  while (!hears.some((text) => text.includes('served'))) hears = (await said(redis)).filter((text) => text.includes('hears'))
  t.notOk(hears.some((text) => text.includes('refused')))
})
