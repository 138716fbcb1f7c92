/** The log in Redis, against a real server. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis as Ioredis } from 'ioredis'
import t, { type Test } from 'tap'
import type { PastelliOptions } from '../../index.ts'
import { type Log, publisher, redisLog, type RedisLogOptions } from '../../logs/redis.ts'
import { logContract } from '../contract/log.ts'
import { draft, follow, idsOf, offsetOf, readFrom } from '../contract/scene.ts'
import { storm } from '../contract/storm.ts'
import { type Kind, type RedisServer, startRedis, withoutRedis } from '../support/redis.ts'
import { type Server, start } from '../support/server.ts'
import { subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const skip = withoutRedis()
const KINDS = ['ioredis', 'redis'] as const
const STREAM = '{pastelli}:log'
let names = 0

interface Node extends Server { own: Log }

/** One of several machines: an app with a client and a log of its own. */
async function node (t: Test, redis: RedisServer, kind: Kind = 'ioredis', options: Partial<RedisLogOptions> = {}, own: PastelliOptions = {}): Promise<Node> {
  const log = await redisLog({ client: await redis.client(t, kind), ...options })
  const server = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) }, { pastelli: { log, ...own } })
  return { ...server, own: log }
}

// The text of the numbers that a client was given, in its order.
function numbers ({ data }: Subscriber): number[] {
  return data.filter((text) => /^\d+$/.test(text)).map(Number)
}

function upTo (count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

async function callsOf (redis: RedisServer, command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(String(await redis.cli('INFO', 'commandstats')))?.[1] ?? 0)
}

for (const kind of KINDS) {
  await t.test(`a log in Redis keeps the contract of a log, through a client of ${kind}`, { skip }, async (t) => {
    const redis = await startRedis(t)
    const client = await redis.client(t, kind)
    logContract(t, async ({ events }) => {
      const name = `log ${names++}`
      const open = () => redisLog({ client, name, events })
      const next = async () => {
        await redis.cli('FLUSHALL')
        return await open()
      }
      return { log: await open(), next }
    }, 40)
  })

  await t.test(`all nodes give one order, and a client goes on at another one where it was, through clients of ${kind}`, { skip }, async (t) => {
    const redis = await startRedis(t)
    const nodes = await Promise.all([node(t, redis, kind), node(t, redis, kind)]) as [Node, Node]
    const clients = await Promise.all(nodes.map(({ origin }) => subscribe(t, origin, '/')))
    const [one, other] = clients as [Subscriber, Subscriber]
    const ids = await Promise.all(upTo(200).map((n) => nodes[n % 2]?.app.topics.publish(n % 3 === 0 ? 'a' : 'b', n)))
    for (const client of clients) await client.count(200)
    t.same(one.ids, other.ids)
    t.same([...one.ids].sort(), [...ids].sort(), 'with the ids that publish answered')
    one.leave()
    for (const n of upTo(50)) await nodes[1].app.topics.publish('a', 200 + n)
    const again = await subscribe(t, nodes[1].origin, '/', { lastEventId: one.lastEventId })
    await again.count(50)
    t.same(numbers(again), upTo(50).map((n) => 200 + n))
    t.same(again.gaps, [])
    const started = await node(t, redis, kind)
    const there = await subscribe(t, started.origin, '/', { lastEventId: one.lastEventId })
    await there.count(50)
    t.same([numbers(there), there.gaps], [numbers(again), []], 'also at one that was started later')
  })
}

await t.test('whatever can talk to Redis can publish, and what can not be an event is left out', { skip }, async (t) => {
  const redis = await startRedis(t)
  const { origin, logged, lines } = await node(t, redis)
  const client = await subscribe(t, origin, '/')
  const add = (...fields: string[]) => redis.cli('XADD', STREAM, '*', ...fields)
  await add('topic', 'a', 'data', '{"cents":1}', 'json', '1')
  for (const wrong of [
    ['data', 'x'], ['topic', 'a'], ['topic', '', 'data', 'x'], ['topic', 'a', 'data', '{', 'json', '1'], ['topic', 'a', 'data', 'x', 'event', 'a\nid: 1'],
    ['topic', 'a', 'data', 'x', 'retry', 'soon'], ['topic', '\x01', 'data', 'x', 'ends', 'never'], ['something', 'else']
  ]) await add(...wrong)
  await add('topic', 'b', 'data', 'text', 'event', 'note', 'retry', '5', 'unknown', 'field')
  await client.count(2)
  t.same(client.data, ['{"cents":1}', 'text'])
  t.match(client.text, /event: note\n/)
  t.match(await logged('what can not be an event was left out of the log'), { err: { code: 'PST_ERR_TOPIC' } })
  t.equal(lines('what can not be an event was left out of the log').length, 1, 'it is said once, not for each')
})

await t.test('a publisher needs no app, and checks what an app checks', { skip }, async (t) => {
  const redis = await startRedis(t)
  const { origin } = await node(t, redis)
  const client = await subscribe(t, origin, '/')
  const { publish } = publisher(await redisLog({ client: await redis.client(t, 'redis') }))
  const id = await publish('a', { cents: 2 }, { event: 'price', key: 'one' })
  t.equal(await publish('a', { cents: 2 }, { event: 'price', key: 'one' }), id)
  await client.count(1)
  t.same([client.ids, client.data], [[id], ['{"cents":2}']])
  t.throws(() => publish('', 1), { code: 'PST_ERR_TOPIC' })
  t.throws(() => publish('a', undefined), { code: 'PST_ERR_DATA' })
})

await t.test('as many events are retained as it is told, and as long', { skip }, async (t) => {
  const redis = await startRedis(t)
  const client = await redis.client(t, 'ioredis')
  const many = await redisLog({ client, name: 'many', events: 500 })
  for (let i = 0; i < 20; i++) await Promise.all(upTo(100).map((n) => many.append(draft('a', String(n)))))
  const length = Number(await redis.cli('XLEN', '{many}:log'))
  t.ok(length >= 500 && length < 700, `${length} of 2000`)
  const old = await redisLog({ client, name: 'old', age: 200 })
  for (let i = 0; i < 5; i++) await Promise.all(upTo(100).map((n) => old.append({ ...draft('a', String(n)), key: String(n + 100 * i) })))
  t.not(await redis.cli('EXISTS', '{old}:key:a\n0'), 0)
  await delay(300)
  await old.append(draft('a', 'new'))
  t.ok(Number(await redis.cli('XLEN', '{old}:log')) <= 101)
  t.equal(await redis.cli('EXISTS', '{old}:key:a\n0'), 0, 'and keys no longer')
  const again = await redisLog({ client, name: 'old' })
  t.equal(await readFrom(again, ['a'], 0), null, 'one who was there before is told')
})

await t.test('thousands who come back to nearby places make few reads, and each gets what is his', { skip }, async (t) => {
  const redis = await startRedis(t)
  const log = await redisLog({ client: await redis.client(t, 'ioredis'), memory: { events: 100 } })
  await storm(t, log, 5_000, () => callsOf(redis, 'xrange'))
})

for (const kind of KINDS) {
  await t.test(`what was lost is told as a gap, on every node, and all go on: FLUSHALL, through clients of ${kind}`, { skip }, async (t) => {
    const redis = await startRedis(t)
    const nodes = await Promise.all([node(t, redis, kind), node(t, redis, kind)]) as [Node, Node]
    const clients = await Promise.all(nodes.map(({ origin }) => subscribe(t, origin, '/')))
    await nodes[0].app.topics.publish('a', 0)
    for (const client of clients) await client.count(1)
    const places = clients.map(({ lastEventId }) => lastEventId)
    await redis.cli('FLUSHALL')
    await nodes[1].app.topics.publish('a', 1)
    await nodes[1].app.topics.publish('a', 2)
    for (const [i, client] of clients.entries()) {
      await until(() => client.gaps.length === 1, 'the gap is told')
      t.match(client.gaps, [{ reason: 'foreign', from: places[i] }])
    }
    await until(() => nodes[0].own.epoch === nodes[1].own.epoch, 'both know the new life')
    await nodes[0].app.topics.publish('a', 3)
    for (const client of clients) await client.until('data: 3')
    t.same(clients.map((client) => numbers(client).at(-1)), [3, 3])
    const late = await subscribe(t, nodes[0].origin, '/', { lastEventId: places[0] as string })
    await late.count(1)
    t.match(late.gaps, [{ reason: 'foreign', from: places[0] }])
  })
}

await t.test('Redis is killed while it is written to: with an append-only file that is always written first nothing is lost and nothing comes twice', { skip }, async (t) => {
  const redis = await startRedis(t, '--appendonly', 'yes', '--appendfsync', 'always')
  for (const kind of KINDS) {
    const { app, origin, lines } = await node(t, redis, kind, { name: kind })
    const client = await subscribe(t, origin, '/')
    const publishing = (async () => {
      for (let n = 0; n < 600; n++) {
        void app.topics.publish(n % 2 === 0 ? 'a' : 'b', n)
        await delay(1)
      }
    })()
    for (let kills = 0; kills < 2; kills++) {
      await delay(150)
      await redis.kill()
      await delay(100)
      await redis.start()
    }
    await publishing
    await client.count(600)
    t.same(numbers(client), upTo(600), kind)
    t.same(client.gaps, [])
    t.ok(lines('the log can not be followed').length <= 2, 'it is said once each time')
    await until(() => lines('the log is followed again').length === lines('the log can not be followed').length, 'it is said that it is over')
    client.leave()
  }
})

await t.test('Redis is killed, and nothing was on its disk: every client gets the gap, and goes on', { skip }, async (t) => {
  const redis = await startRedis(t)
  const { app, origin } = await node(t, redis)
  const clients = await Promise.all(upTo(5).map(() => subscribe(t, origin, '/')))
  await app.topics.publish('a', 0)
  for (const client of clients) await client.count(1)
  await redis.kill()
  await redis.start()
  for (const client of clients) await until(() => client.gaps.length === 1, 'the gap is told')
  await app.topics.publish('a', 1)
  for (const client of clients) await client.until('data: 1')
  t.same(clients.map(({ gaps }) => gaps.map(({ reason }) => reason)), clients.map(() => ['foreign']))
  t.same(clients.map(numbers), clients.map(() => [0, 1]))
})

await t.test('a snapshot is restored that is older than what was heard: that is another life', { skip }, async (t) => {
  const redis = await startRedis(t)
  const { app, origin, own } = await node(t, redis)
  const client = await subscribe(t, origin, '/')
  const kept = await app.topics.publish('a', 0)
  await client.count(1)
  await redis.cli('SAVE')
  await app.topics.publish('a', 1)
  await client.count(2)
  const { epoch } = own
  await redis.kill()
  await redis.start()
  await until(() => client.gaps.length === 1, 'the gap is told')
  t.match(client.gaps, [{ reason: 'foreign', from: client.ids[1] }])
  t.not(own.epoch, epoch)
  await app.topics.publish('a', 2)
  await client.until('data: 2')
  t.same(numbers(client), [0, 1, 2])
  const late = await subscribe(t, origin, '/', { lastEventId: kept })
  await late.count(1)
  t.match(late.gaps, [{ reason: 'foreign', from: kept }])
})

await t.test('Redis starts again when no node is left that knows what there was: what its disk may lack is another life', { skip }, async (t) => {
  for (const [appendonly, isSame] of [['yes', true], ['no', false]] as const) {
    const redis = await startRedis(t, '--appendonly', appendonly, '--appendfsync', 'always')
    const client = await redis.client(t, 'ioredis')
    const log = await redisLog({ client })
    await log.append(draft('a'))
    const { epoch } = await redisLog({ client })
    t.equal(epoch, log.epoch)
    if (appendonly === 'no') await redis.cli('SAVE')
    await log.append(draft('a'))
    await redis.kill()
    await redis.start()
    const anew = await redisLog({ client })
    t.equal(anew.epoch === epoch, isSame, `appendonly ${appendonly}`)
    t.equal((await redisLog({ client })).epoch, anew.epoch, 'and from then on it stays')
  }
})

await t.test('while Redis stands still, publishes wait or fail within their time, streams stay open, and all continue', { skip }, async (t) => {
  const redis = await startRedis(t)
  const patient = await node(t, redis, 'ioredis', {}, { heartbeat: 200 })
  const hasty = await node(t, redis, 'redis', { timeout: 300 }, { heartbeat: 200 })
  const clients = await Promise.all([patient, hasty].map(({ origin }) => subscribe(t, origin, '/')))
  await patient.app.topics.publish('a', 0)
  for (const client of clients) await client.count(1)
  redis.suspend()
  const before = clients.map(({ bytes }) => bytes)
  const waiting = patient.app.topics.publish('a', 1)
  const began = performance.now()
  const failing = Promise.allSettled(upTo(10).map((n) => hasty.app.topics.publish('b', `late ${n}`)))
  t.match(await failing, upTo(10).map(() => ({ status: 'rejected', reason: { code: 'PST_ERR_LOG' } })))
  t.ok(performance.now() - began < 1_500, 'in their time')
  await until(() => clients.every(({ bytes }, i) => bytes > (before[i] as number) + 10), 'heartbeats go on')
  await delay(1_500)
  redis.resume()
  await waiting
  await hasty.app.topics.publish('a', 2)
  for (const client of clients) await client.until('data: 2')
  t.same(clients.map(numbers), [[0, 1, 2], [0, 1, 2]])
  t.same(clients.map(({ isEnded, gaps }) => [isEnded, gaps]), [[false, []], [false, []]])
  t.equal(hasty.lines('what was published is not in the log').length, 1, 'and it is said once')
  t.match(hasty.lines('what is published is in the log again'), [{ failures: 10 }])
})

await t.test('a batch that a client sends again is appended once', { skip }, async (t) => {
  const redis = await startRedis(t)
  const client = await redis.client(t, 'ioredis') as Ioredis
  const call = async (...words: [string, ...string[]]) => {
    await client.call(...words)
    return await client.call(...words)
  }
  const log = await redisLog({ client: { ...client, call, duplicate: () => client.duplicate() } as never })
  const ids: Array<string | Promise<string>> = []
  for (const n of upTo(10)) ids.push(await log.append(draft('a', String(n))))
  ids.push(...await Promise.all(upTo(10).map((n) => log.append(draft('a', String(10 + n))))))
  t.equal(await redis.cli('XLEN', STREAM), 20)
  t.same((await readFrom(await redisLog({ client }), ['a'], 0))?.records.map(({ id, data }) => [id, data]), ids.map((id, n) => [id, String(n)]))
})

await t.test('what Redis refuses fails at once, and what it refuses for a while is tried again', { skip }, async (t) => {
  const redis = await startRedis(t)
  const log = await redisLog({ client: await redis.client(t, 'redis') })
  await redis.cli('CONFIG', 'SET', 'maxmemory', '1')
  await t.rejects(log.append(draft('a')) as Promise<string>, { code: 'PST_ERR_LOG', message: /OOM/, cause: { message: /OOM/ } })
  await redis.cli('CONFIG', 'SET', 'maxmemory', '0')
  await log.append(draft('a'))
  await redis.cli('REPLICAOF', '127.0.0.1', '1')
  const appended = log.append(draft('a'))
  while (await callsOf(redis, 'evalsha') < 5) await delay(5)
  await redis.cli('REPLICAOF', 'NO', 'ONE')
  await appended
  t.equal(await redis.cli('XLEN', STREAM), 2)
})

await t.test('while Redis stands still, the newest events can be read, and others fail in time', { skip }, async (t) => {
  const redis = await startRedis(t)
  const log = await redisLog({ client: await redis.client(t, 'ioredis'), timeout: 300, memory: { events: 10 } })
  const { stop } = follow(log)
  t.teardown(stop)
  const ids = await Promise.all(upTo(30).map((n) => log.append(draft('a', String(n)))))
  await until(() => log.head === offsetOf(ids.at(-1)))
  redis.suspend()
  t.same(idsOf(await readFrom(log, ['a'], offsetOf(ids[25]))), ids.slice(26))
  const reads = Promise.allSettled([5, 10].map((n) => readFrom(log, ['a'], offsetOf(ids[n]))))
  const first = log.append(draft('a', 'first'))
  await delay(20)
  const appends = Promise.allSettled([first, log.append(draft('a', 'second'))])
  t.match([...await reads, ...await appends], upTo(4).map(() => ({ status: 'rejected', reason: { code: 'PST_ERR_LOG' } })))
  redis.resume()
  t.same(idsOf(await readFrom(log, ['a'], offsetOf(ids[5])))?.slice(0, 24), ids.slice(6))
})

await t.test('what waits for Redis is bounded', { skip }, async (t) => {
  const redis = await startRedis(t)
  const log = await redisLog({ client: await redis.client(t, 'ioredis'), timeout: 2_000 })
  redis.suspend()
  const large = { ...draft('a'), data: 'x'.repeat(4 * 1024 * 1024) }
  const outcomes = Promise.allSettled(upTo(6).map(() => log.append(large)))
  await t.rejects(log.append(large) as Promise<string>, { code: 'PST_ERR_LOG', message: /too much/ })
  redis.resume()
  t.same((await outcomes).filter(({ status }) => status === 'fulfilled').length, 3)
})

await t.test('what was trimmed before a node heard it is told there as a gap', { skip }, async (t) => {
  const redis = await startRedis(t)
  const { origin, own } = await node(t, redis)
  const client = await subscribe(t, origin, '/')
  await redis.cli('XADD', STREAM, '*', 'topic', 'a', 'data', '0')
  await client.count(1)
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal')
  await redis.cli('EVAL', `
    for n = 1, 3 do redis.call('XADD', KEYS[1], '*', 'topic', 'a', 'data', n) end
    redis.call('XTRIM', KEYS[1], 'MAXLEN', '1')
  `, '1', STREAM)
  await until(() => client.gaps.length === 1, 'the gap is told')
  t.match(client.gaps, [{ reason: 'trimmed', from: client.ids[0] }])
  await redis.cli('XADD', STREAM, '*', 'topic', 'a', 'data', '4')
  await client.until('data: 4')
  t.ok(client.ids.every((id) => id?.startsWith(`${own.epoch}:`)), 'in the same life')
})

await t.test('an entry whose id has no offset is told as a gap, and the log goes on behind it', { skip }, async (t) => {
  const redis = await startRedis(t)
  const { app, origin, logged } = await node(t, redis)
  const client = await subscribe(t, origin, '/')
  await app.topics.publish('a', 0)
  await client.count(1)
  await redis.cli('XADD', STREAM, `${Date.now() + 100}-4096`, 'topic', 'a', 'data', '1')
  await until(() => client.gaps.length === 1, 'the gap is told')
  await logged('what can not be an event was left out of the log')
  await app.topics.publish('a', 2)
  await client.until('data: 2')
  t.same(numbers(client), [0, 2])
  t.ok(offsetOf(client.ids.at(-1)) > offsetOf(client.ids[0]))
})

await t.test('more than 4096 in a millisecond are appended in the next one', { skip }, async (t) => {
  const redis = await startRedis(t)
  const log = await redisLog({ client: await redis.client(t, 'ioredis') })
  const ahead = Date.now() + 60_000
  await redis.cli('XADD', STREAM, `${ahead}-4090`, 'topic', 'a', 'data', 'x')
  const ids = await Promise.all(upTo(20).map(() => log.append(draft('a'))))
  const offsets = ids.map(offsetOf)
  t.same(offsets, [...new Set(offsets)].sort((one, other) => one - other))
  const again = await redisLog({ client: await redis.client(t, 'redis') })
  t.same(idsOf(await readFrom(again, ['a'], offsetOf(ids[0]))), ids.slice(1))
})

for (const kind of KINDS) {
  await t.test(`the last who follows lets go of the connection, and of nothing of the app's, through a client of ${kind}`, { skip }, async (t) => {
    const redis = await startRedis(t)
    const client = await redis.client(t, kind)
    const connections = async () => String(await redis.cli('CLIENT', 'LIST')).trim().split('\n').length
    const before = await connections()
    const log = await redisLog({ client })
    t.equal(await connections(), before, 'a log that nobody follows has no connection of its own')
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const idle = timers()
    for (let i = 0; i < 3; i++) {
      const scenes = [follow(log), follow(log)]
      await scenes[0]?.append('a')
      t.equal(await connections(), before + 1, 'one for all who follow')
      for (const { stop } of scenes) await stop()
    }
    await log.append(draft('a'))
    for (const began = performance.now(); performance.now() - began < 2_000 && await connections() !== before;) await delay(5)
    t.equal(await connections(), before)
    await until(() => timers() <= idle, 'no timer is left')
    const stopped = follow(log)
    await stopped.stop()
    t.equal(stopped.heard.length, 0, 'one who stops at once was never connected')
  })
}

await t.test('options that are wrong are refused, and say what would be right', { skip }, async (t) => {
  const client = { duplicate () {}, call () {} } as never
  for (const [options, message] of [
    [null, /given an object/], [{}, /client/], [{ client: {} }, /client/], [{ client, size: 1 }, /"size"/], [{ client, name: 'a{b}' }, /without braces/], [{ client, name: '' }, /without braces/],
    [{ client, events: 0 }, /"events"/], [{ client, age: Infinity }, /"age"/], [{ client, timeout: 2 ** 31 }, /"timeout"/], [{ client, memory: 1 }, /"memory"/],
    [{ client, memory: { age: 1 } }, /"age"/], [{ client, memory: { events: 0.5 } }, /"memory.events"/]
  ] as const) await t.rejects(redisLog(options as never), { code: 'PST_ERR_OPTION', message })
})

await t.test('a log that can not be opened is an error, at once or in time', { skip }, async (t) => {
  const redis = await startRedis(t)
  const clients = await Promise.all(KINDS.map((kind) => redis.client(t, kind)))
  const open = () => Promise.allSettled(clients.map((client) => redisLog({ client, timeout: 300 })))
  const refused = (message: RegExp) => clients.map(() => ({ status: 'rejected', reason: { code: 'PST_ERR_LOG', message } }))
  await redis.cli('SET', '{pastelli}:log', 'something else')
  t.match(await open(), refused(/WRONGTYPE/))
  redis.suspend()
  t.match(await open(), refused(/no answer within 300 ms/), 'while Redis stands still')
  await redis.kill()
  t.match(await open(), refused(/no answer within 300 ms/), 'while it is away, and the client waits for it')
})
