/** The log in NATS JetStream, against a real server. */
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Log, natsLog, type NatsLogOptions, publisher } from '../../logs/nats.ts'
import { logContract } from '../contract/log.ts'
import { draft, follow, idsOf, offsetOf, readFrom } from '../contract/scene.ts'
import { storm } from '../contract/storm.ts'
import { setClock } from '../support/clock.ts'
import { type NatsServer, startNats, withoutNats } from '../support/nats.ts'
import { type Server, start } from '../support/server.ts'
import { subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const skip = withoutNats()
const NAME = 'pastelli'
let names = 0

interface Node extends Server { own: Log }

/** One of several machines: an app with a connection and a log of its own. */
async function node (t: Test, nats: NatsServer, options: Partial<NatsLogOptions> = {}): Promise<Node> {
  const log = await natsLog({ client: await nats.client(t), ...options })
  const server = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) }, { pastelli: { log, heartbeat: 200 } })
  return { ...server, own: log }
}

function numbers ({ data }: Subscriber): number[] {
  return data.filter((text) => /^\d+$/.test(text)).map(Number)
}

function upTo (count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

await t.test('a log in NATS keeps the contract of a log', { skip }, async (t) => {
  const nats = await startNats(t)
  const client = await nats.client(t)
  logContract(t, async ({ events }) => {
    const name = `log-${names++}`
    const open = () => natsLog({ client, name, events })
    const next = async () => {
      await (await client.jetstreamManager()).streams.delete(name)
      return await open()
    }
    return { log: await open(), next }
  }, 40)
})

await t.test('all nodes give one order, and a client goes on at another one where it was', { skip }, async (t) => {
  const nats = await startNats(t)
  const nodes = await Promise.all([node(t, nats), node(t, nats)]) as [Node, Node]
  const clients = await Promise.all(nodes.map(({ origin }) => subscribe(t, origin, '/')))
  const [one, other] = clients as [Subscriber, Subscriber]
  const ids = await Promise.all(upTo(200).map((n) => nodes[n % 2]?.app.topics.publish(n % 3 === 0 ? 'a' : 'b', n)))
  for (const client of clients) await client.count(200)
  t.same(one.ids, other.ids)
  t.same([...one.ids].sort(), [...ids].sort(), 'with the ids that publish answered')
  one.leave()
  for (const n of upTo(50)) await nodes[1].app.topics.publish('a', 200 + n)
  for (const { origin } of [nodes[1], await node(t, nats)]) {
    const again = await subscribe(t, origin, '/', { lastEventId: one.lastEventId })
    await again.count(50)
    t.same([numbers(again), again.gaps], [upTo(50).map((n) => 200 + n), []])
  }
})

await t.test('whatever can talk to NATS can publish, and what can not be an event is left out', { skip }, async (t) => {
  const nats = await startNats(t)
  const { origin, logged, lines } = await node(t, nats)
  const client = await subscribe(t, origin, '/')
  const connection = await nats.connection(t)
  connection.publish(NAME, '{"topic":"a","data":{"cents":1}}')
  for (const wrong of [
    '', '1', '{"topic":"a"}', '{"topic":"","data":1}', '{"topic":1,"data":1}', '{"topic":"a","data":"{","json":true}', '{"topic":"a","data":1,"event":"a\\nid: 1"}',
    '{"topic":"a","data":1,"retry":"soon"}', '{"topic":"\\u0001","data":1,"ends":"never"}', '{"topic":"a","data":1,"key":1}', '{"topic":"a","data":1,"except":1}'
  ]) connection.publish(NAME, wrong)
  connection.publish(NAME, '{"topic":"b","data":"text","event":"note","retry":5}')
  await client.count(2)
  t.same(client.data, ['{"cents":1}', 'text'])
  t.match(client.text, /event: note\n/)
  await logged('what can not be an event was left out of the log')
  t.equal(lines('what can not be an event was left out of the log').length, 1, 'it is said once, not for each')
  const { publish } = publisher(await natsLog({ client: await nats.client(t) }))
  await publish('a', 3)
  await client.until('data: 3')
})

await t.test('thousands who come back to nearby places make few reads, and each gets what is his', { skip }, async (t) => {
  const nats = await startNats(t)
  const client = await nats.client(t)
  const log = await natsLog({ client, memory: { events: 100 } })
  const { consumers } = client
  const get = consumers.get.bind(consumers)
  let reads = 0
  consumers.get = async (...args) => {
    reads++
    return await get(...args)
  }
  await storm(t, log, 2_000, () => reads)
})

await t.test('NATS is killed while it is written to: nothing that it took is lost, and nothing comes twice', { skip }, async (t) => {
  const nats = await startNats(t)
  const { app, origin } = await node(t, nats, { timeout: 1_000 })
  const client = await subscribe(t, origin, '/')
  const taken: Array<string | undefined> = []
  const publishing = Promise.all(upTo(300).map(async (n) => {
    await delay(2 * n)
    await Promise.resolve(app.topics.publish('a', n, { key: String(n) })).then((id) => { taken.push(id) }, () => {})
  }))
  await delay(200)
  await nats.kill()
  await delay(100)
  nats.start()
  await publishing
  await app.topics.publish('a', 'last')
  await client.until('data: last')
  t.ok(taken.length > 0 && taken.every((id) => client.ids.includes(id)), `${taken.length} taken, ${numbers(client).length} given`)
  t.equal(new Set(numbers(client)).size, numbers(client).length)
  t.same(client.gaps, [])
})

for (const [how, lose] of [
  ['its stream is deleted', async (_nats: NatsServer, log: () => Promise<unknown>) => { await log() }],
  ['it comes back without its disk', async (nats: NatsServer) => {
    await nats.kill()
    await nats.forget()
    nats.start()
  }]
] as const) {
  await t.test(`what NATS has lost is told as a gap, on every node, and all go on: ${how}`, { skip }, async (t) => {
    const nats = await startNats(t)
    const nodes = await Promise.all([node(t, nats), node(t, nats)]) as [Node, Node]
    const clients = await Promise.all(nodes.map(({ origin }) => subscribe(t, origin, '/')))
    await nodes[0].app.topics.publish('a', 0)
    for (const client of clients) await client.count(1)
    const before = clients[0]?.lastEventId as string
    await lose(nats, async () => { await (await (await nats.client(t)).jetstreamManager()).streams.delete(NAME) })
    for (const client of clients) await until(() => client.gaps.length === 1, 'the gap is told')
    for (const client of clients) t.match(client.gaps, [{ reason: 'foreign', from: before }])
    await until(() => nodes[0].own.epoch === nodes[1].own.epoch, 'both know the new life')
    await nodes[1].app.topics.publish('a', 1)
    for (const client of clients) await client.until('data: 1')
    t.same(clients.map(numbers), [[0, 1], [0, 1]])
    t.ok(offsetOf(clients[0]?.lastEventId) > offsetOf(before))
  })
}

await t.test('a life of the log that begins when the clock was set back is behind all that was before it', { skip }, async (t) => {
  const nats = await startNats(t)
  const { app, origin } = await node(t, nats)
  const client = await subscribe(t, origin, '/')
  await app.topics.publish('a', 0)
  await client.count(1)
  const before = client.lastEventId
  setClock(t, -86_400_000)
  await (await (await nats.client(t)).jetstreamManager()).streams.delete(NAME)
  await until(() => client.gaps.length === 1, 'the gap is told')
  await app.topics.publish('a', 1)
  await client.until('data: 1')
  t.same(numbers(client), [0, 1])
  t.ok(offsetOf(client.lastEventId) > offsetOf(before))
})

await t.test('what was trimmed before a node heard it is told there as a gap', { skip }, async (t) => {
  const nats = await startNats(t)
  const log = await natsLog({ client: await nats.client(t), events: 5 })
  const { stop, append } = follow(log)
  await append('a', 'heard')
  await stop()
  const other = await natsLog({ client: await nats.client(t), events: 5 })
  const ids: string[] = []
  for (const n of upTo(10)) ids.push(await other.append(draft('a', String(n))))
  const losses: unknown[] = []
  const heard: string[] = []
  t.teardown(log.follow(({ data }) => { heard.push(data) }, { lost: (last) => { losses.push(last) }, failed () {}, recovered () {}, refused () {} }))
  await until(() => heard.length === 5, 'what is left was heard')
  t.equal(losses.length, 1)
  t.same(heard, ['5', '6', '7', '8', '9'])
  t.equal(await readFrom(log, ['a'], offsetOf(ids[0])), null)
  t.same(idsOf(await readFrom(log, ['a'], offsetOf(ids[6]))), ids.slice(7))
})

await t.test('while NATS stands still, publishes fail within their time, streams stay open, and all continue', { skip }, async (t) => {
  const nats = await startNats(t)
  const { app, origin } = await node(t, nats, { timeout: 1_000 })
  const client = await subscribe(t, origin, '/')
  await app.topics.publish('a', 0)
  await client.count(1)
  nats.suspend()
  const before = client.bytes
  await t.rejects(app.topics.publish('b', 'late') as Promise<string>, { code: 'PST_ERR_LOG' })
  await until(() => client.bytes > before + 10, 'heartbeats go on')
  nats.resume()
  await app.topics.publish('a', 1)
  await client.until('data: 1')
  t.same([numbers(client), client.gaps, client.isEnded], [[0, 1], [], false])
})

await t.test('a node listens again soon after NATS is back, however long that was away', { skip }, async (t) => {
  const nats = await startNats(t)
  const { app, origin, logged } = await node(t, nats)
  const client = await subscribe(t, origin, '/')
  await nats.kill()
  await logged('the log can not be followed')
  await delay(1_000)   // it has asked what will not be answered
  nats.start()
  const began = performance.now()
  await logged('the log is followed again')
  t.ok(performance.now() - began < 6_000, `${performance.now() - began} ms`)
  await app.topics.publish('a', 0)
  await client.until('data: 0')
})

await t.test('the last who follows lets go of all that listens, and of nothing of the app\'s', { skip }, async (t) => {
  const nats = await startNats(t)
  const client = await nats.client(t)
  const log = await natsLog({ client })
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const consumers = async () => (await (await client.jetstreamManager()).streams.info(NAME)).state.consumer_count
  const [idle, before] = [timers(), await consumers()]
  const scenes = [follow(log), follow(log)]
  await scenes[0]?.append('a')
  for (const { stop } of scenes) await stop()
  await until(() => timers() <= idle, 'no timer is left')
  for (const began = performance.now(); performance.now() - began < 2_000 && await consumers() > before;) await delay(5)
  t.equal(await consumers(), before)
  await log.append(draft('a'))
})

await t.test('where NATS refuses the stream of the log, it is said why', { skip }, async (t) => {
  const nats = await startNats(t)
  const client = await nats.client(t)
  await (await client.jetstreamManager()).streams.add({ name: 'another', subjects: [NAME] })
  await t.rejects(natsLog({ client }), { message: /overlap/ })
})

await t.test('options that are wrong are refused, and say what would be right', async (t) => {
  const client = { publish () {}, jetstreamManager () {} } as never
  for (const [options, message] of [
    [null, /given an object/], [{}, /client/], [{ client: { publish () {} } }, /client/], [{ client, name: 'a.b' }, /letters/], [{ client, events: 0 }, /"events"/]
  ] as const) await t.rejects(natsLog(options as never), { code: 'PST_ERR_OPTION', message })
})
