/** Nodes on NATS: what they cost, and what is told of what others send there. */
import t from 'tap'
import { NatsExchange } from '../../logs/nats/nats-exchange.ts'
import { natsLog } from '../../logs/nats.ts'
import { counted, natsLogs, type Node, node, nodes } from '../support/cluster.ts'
import { startNats, withoutNats } from '../support/nats.ts'
import { subscribe } from '../support/subscriber.ts'
import { Witness } from '../support/witness.ts'

const skip = withoutNats()
const STREAM = 'pastelli+nodes'

await t.test('who uses neither holds nothing open, and takes part as soon as another node does', { skip }, async (t) => {
  const nats = await startNats(t)
  const logs = natsLogs(t, nats)
  const { streams } = await (await nats.client(t)).jetstreamManager()
  const plain = () => logs().then((log) => node(t, log, {}, (app) => { app.stream('/plain/a', { topics: 'a' }) }))
  const all = [await plain(), await plain()]
  const [one, other] = all as [Node, Node]
  const witness = new Witness(other.app)
  await subscribe(t, other.origin, '/plain/a')
  const { id } = await witness.open()
  await t.rejects(streams.info(STREAM), /stream not found/)
  t.equal(await one.app.connections.send({ id }, 'x'), true, 'the first time one asks, the others are woken')
  t.equal(await other.app.connections.send({ id: 'nobody' }, 'x'), false)
  await subscribe(t, other.origin, '/a?name=ada')
  await counted(all, 'a', 1)
  const late = await plain()
  t.equal(late.app.presence.count('a'), 1, 'who starts later knows from the start')
  t.equal(await late.app.connections.send({ id }, 'x'), true)
})

await t.test('a thousand who come in one tick are told in a few messages', { skip }, async (t) => {
  const nats = await startNats(t)
  const all = await nodes(t, natsLogs(t, nats), 2)
  const [one] = all as [Node, Node]
  const { streams } = await (await nats.client(t)).jetstreamManager()
  const sent = async () => (await streams.info(STREAM, { subjects_filter: `${STREAM}.all` })).state.subjects?.[`${STREAM}.all`] ?? 0
  const witness = new Witness(one.app)
  await subscribe(t, one.origin, '/x')
  const connection = await witness.open()
  await counted(all, 'x', 1)
  const before = await sent()
  connection.subscribe(Array.from({ length: 1_000 }, (_, i) => `topic ${i}`), { presence: { text: 'x'.repeat(100) } })
  await counted(all, 'topic 999', 1)
  t.ok(await sent() - before <= 10, `${await sent() - before} messages`)
  t.ok(all.every(({ told }) => told.length === 1_001))
})

await t.test('what can not be from a node is left out, and told once; and how long a node may be silent can change', { skip }, async (t) => {
  const nats = await startNats(t)
  const client = await nats.client(t)
  const { streams } = await client.jetstreamManager()
  const [one] = await nodes(t, natsLogs(t, nats, { nodeTimeout: 2_000 }), 1) as [Node]
  t.equal(await one.app.connections.send({ id: 'x' }, 1), false, 'it is up')
  for (const text of ['', '{', '{"type":"bye"}']) await client.publish(`${STREAM}.all`, text)
  await client.publish(`${STREAM}.all`, JSON.stringify({ type: 'said', from: 'forged', after: 0, version: 1, changes: [['x a', '["eve",1,null]']] }))
  await counted([one], 'a', 1)
  t.equal(one.lines('what can not be from a node was left out').length, 1)
  t.equal((await streams.info(STREAM)).config.max_age, 2e9)
  const other = await node(t, await natsLogs(t, nats, { nodeTimeout: 1_000 })())
  t.equal(await other.app.connections.send({ id: 'x' }, 1), false)
  t.equal((await streams.info(STREAM)).config.max_age, 1e9)
})

await t.test('a NATS that does not say whether there are nodes is asked again, and one that has no room for them says so', { skip }, async (t) => {
  const nats = await startNats(t)
  const client = await nats.client(t)
  const manager = await client.jetstreamManager()
  const { streams } = manager
  const [add, info] = [streams.add.bind(streams), streams.info.bind(streams)]
  streams.add = async (config) => {
    if (config.name === STREAM) throw new Error('insufficient memory')
    return await add(config)
  }
  const log = await natsLog({ client: Object.assign(client, { jetstreamManager: async () => manager }) })
  streams.info = async (name, options) => {
    if (name !== STREAM) return await info(name, options)
    streams.info = info
    throw new Error('not permitted')
  }
  const one = await node(t, log)
  t.match(await one.logged('the other nodes can not be heard'), { err: { code: 'PST_ERR_LOG', message: /insufficient memory/ } })
  streams.add = add
  await one.logged('the other nodes are heard again')
})

await t.test('a node that asked while it was not connected asks again before the others take it for dead', async (t) => {
  const silent = { streams: { info: () => new Promise<never>(() => {}) } }
  const exchange = new NatsExchange({} as never, silent as never, 'log', 'me', 200, 5_000)
  await t.rejects(exchange.open(), { code: 'PST_ERR_LOG', message: /no answer within 100 ms/ })
})
