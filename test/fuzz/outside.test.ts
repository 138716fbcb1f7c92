/** A publisher who writes what it likes to the engine: what can be an event comes as it is, on every node, and the rest does no harm. */
import type { JetStreamClient } from '@nats-io/jetstream'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { natsLog } from '../../logs/nats.ts'
import { type Log, redisLog } from '../../logs/redis.ts'
import { producedTopic } from '../../lib/topics/produced.ts'
import { startNats, withoutNats } from '../support/nats.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { type Server, start } from '../support/server.ts'
import { subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { dial, type SocketClient } from '../support/web-socket.ts'
import { cases, SEED } from './cases.ts'
import { entries, messages, type Shown, shownOfEntry, shownOfMessage, TOPICS } from './hostile.ts'

/** An engine: how a node has its log there, and how anybody writes to it. */
interface Engine {
  log: () => Promise<Log>
  write: (records: readonly Buffer[][]) => Promise<unknown>
  /** What cannot be refused. */
  record: (topic: string, data: string, fields?: Record<string, string>) => Buffer[]
}

const STREAM = '{pastelli}:log'
const LEFT_OUT = 'what can not be an event was left out of the log'
const BATCH = 200
const LAST = 'the last one'
const ROUTE = JSON.stringify(['GET', '/r/:key', {}])

async function onRedis (t: Test): Promise<Engine> {
  const redis = await startRedis(t)
  const hostile = new Redis(redis.socket)
  t.teardown(() => { hostile.disconnect() })
  return {
    log: async () => await redisLog({ client: await redis.client(t, 'ioredis') }),
    write: (records) => Promise.all(records.map((parts) => hostile.call('XADD', STREAM, '*', ...parts))),
    record: (topic, data, fields = {}) => Object.entries({ topic, data, ...fields }).flat().map((part) => Buffer.from(part))
  }
}

async function onNats (t: Test): Promise<Engine> {
  const nats = await startNats(t)
  const hostile: JetStreamClient = await nats.client(t)
  return {
    log: async () => await natsLog({ client: await nats.client(t) }),
    write: async (records) => { for (const [message] of records) await hostile.publish('pastelli', message as Buffer) },
    record: (topic, data, { begins, ...fields } = {}) => [Buffer.from(JSON.stringify({ topic, data, ...fields, ...begins === '1' && { begins: true } }))]
  }
}

async function node (t: Test, engine: Engine): Promise<Server> {
  return await start(t, (app) => {
    app.stream('/', { topics: TOPICS, websocket: {} })
    app.stream<{ Params: { key: string } }>('/r/:key', { resumable: ({ params }) => params.key }, async function * () { yield 'fed' })
  }, { pastelli: { log: await engine.log() } })
}

/** Fails unless all of them see this, and nothing else, in this order. */
async function see (t: Test, wanted: readonly Shown[], streams: readonly Subscriber[], lines: readonly Subscriber[], sockets: readonly SocketClient[]): Promise<void> {
  for (const client of streams) {
    await client.count(wanted.length)
    t.same(client.events.map(({ event, data }) => [event, data]), wanted.map(({ event, text }) => [event, text]))
  }
  const [ids] = streams.map((client) => client.ids) as [string[]]
  for (const client of streams) t.same(client.ids, ids, 'with the same positions')
  const offsets = ids.map((id) => Number(id.split(':')[1]))
  t.ok(offsets.every((offset, i) => i === 0 || offset > (offsets[i - 1] as number)), 'which grow')
  const values = wanted.map(({ event, value }) => [event, value])
  for (const client of lines) {
    await client.until(LAST)
    t.same(client.text.split(/\r\n|[\r\n\u0085\u2028\u2029]/).filter((line) => line !== '').map(seenOf), values)
  }
  for (const client of sockets) {
    await until(() => client.waiting.some((message) => message.includes(LAST)), 'the last one came')
    t.same(client.waiting.map(String).filter((text) => 'data' in JSON.parse(text)).map(seenOf), values)
  }
}

// A type that is empty is none, in an event stream.
function seenOf (text: string): [event: string, value: unknown] {
  const { event = '', data } = JSON.parse(text) as { event?: string, data: unknown }
  return [event === '' ? 'message' : event, data]
}

async function fuzz (t: Test, engine: Engine, records: Buffer[][], shownOf: (record: Buffer[]) => Shown | null): Promise<void> {
  const servers = [await node(t, engine), await node(t, engine)]
  const streams = await Promise.all(servers.map(({ origin }) => subscribe(t, origin, '/')))
  const lines = await Promise.all(servers.map(({ origin }) => subscribe(t, origin, '/', { headers: { accept: 'application/x-ndjson' } })))
  const sockets = await Promise.all(servers.map((server) => dial(t, server, '/')))
  const all = [...records, engine.record('a', LAST)]
  const wanted = all.map(shownOf).filter((shown) => shown !== null)
  const before = streams[0]?.lastEventId   // none of them, so far
  for (let i = 0; i < all.length; i += BATCH) await engine.write(all.slice(i, i + BATCH))
  await see(t, wanted, streams, lines, sockets)
  // What is read from the log again, and by one that has just come, is the same.
  const newcomer = await node(t, engine)
  const returned = await Promise.all([...servers, newcomer].map(({ origin }) => subscribe(t, origin, '/', { lastEventId: before })))
  await see(t, wanted, returned, [], [])
  t.ok(wanted.length > records.length / 5 && wanted.length < records.length * 0.9, `${wanted.length} of ${records.length} records were events`)
  for (const { noise, lines } of servers) {
    t.same(noise().map(({ msg }) => msg), [LEFT_OUT], 'all that is logged is one line of what was left out')
    t.equal(lines('stream closed').length, 0, 'and nobody was closed')
  }
  t.ok(newcomer.noise().every(({ msg }, i) => msg === LEFT_OUT && i === 0), 'and one at most where it was there before')
}

/** Streams whose records others have forged end, whatever those say. */
async function forge (t: Test, engine: Engine): Promise<void> {
  const servers = [await node(t, engine), await node(t, engine)]
  const fields = fc.record({
    data: fc.constantFrom('', 'forged'), begins: fc.constantFrom('1', ''), ends: fc.constantFrom('server', 'error', 'never'), producer: fc.constantFrom('', 'nobody', 'somebody'), event: fc.constantFrom('e', 'e\n')
  }, { requiredKeys: ['data'] })
  const lives = fc.sample(fc.array(fields, { minLength: 1, maxLength: 5 }), { numRuns: cases(60), seed: SEED })
  await engine.write(lives.flatMap((life, key) => life.map(({ data, ...rest }) => engine.record(producedTopic(ROUTE, String(key)), data, rest as Record<string, string>))))
  const head = await servers[0]?.app.topics.publish('a', LAST)
  await until(() => servers.every(({ app }) => app.topics.position === head), 'all of it was heard')
  const clients = await Promise.all(lives.flatMap((_life, key) => servers.map(({ origin }) => subscribe(t, origin, `/r/${key}`))))
  for (const client of clients) await client.ended()
  t.ok(clients.every(({ status }) => status === 200 || status === 204), `${clients.length} streams ended`)
  t.ok(clients.some(({ data }) => data.includes('forged')) && clients.some(({ data }) => data.includes('fed')), 'of which some are fed')
  for (const { app } of servers) t.equal(app.connections.size, 0)
}

await t.test('what anybody writes to the stream in Redis', { skip: withoutRedis() }, async (t) => {
  await fuzz(t, await onRedis(t), fc.sample(entries, { numRuns: cases(1_500), seed: SEED }), shownOfEntry)
})

await t.test('what anybody writes to the subject in NATS', { skip: withoutNats() }, async (t) => {
  const records = fc.sample(messages, { numRuns: cases(1_000), seed: SEED }).map((message) => [message])
  await fuzz(t, await onNats(t), records, ([message]) => shownOfMessage(message as Buffer))
})

await t.test('a resumable stream whose records somebody forged ends, in Redis', { skip: withoutRedis() }, async (t) => {
  await forge(t, await onRedis(t))
})

await t.test('and in NATS', { skip: withoutNats() }, async (t) => {
  await forge(t, await onNats(t))
})
