/** Heartbeats, reconnection delay and maximum age: one timer, on the dot, off when told so. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { Connection, PastelliOptions, StreamOptions } from '../../index.ts'
import { Clock } from '../../lib/connection/clock.ts'
import type { Registry } from '../../lib/connection/registry.ts'
import type { Settings } from '../../lib/options.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { start, type Server } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Scene extends Server { client: RawClient, connection: Connection, witness: Witness }

async function open (t: Test, options: PastelliOptions, routeOptions: StreamOptions = {}): Promise<Scene> {
  const server = await start(t, (app) => {
    app.stream('/', routeOptions, () => {})
    app.get('/bytes', (_request, reply) => { reply.sendChunked() })
  }, { pastelli: options })
  const witness = new Witness(server.app)
  const client = (await connect(t, server.port)).get('/')
  return { ...server, client, connection: await witness.open(), witness }
}

function body (client: RawClient): string {
  return client.response.body.toString()
}

await t.test('an idle stream gets a comment 1 to 1.5 intervals after its last byte', async (t) => {
  const { client } = await open(t, { heartbeat: 200 })
  const times: number[] = []
  client.socket.on('data', () => { times.push(performance.now()) })
  await until(() => times.length >= 5)
  t.match(body(client), /^:\n\n(: heartbeat\n\n){4}/)
  const gaps = times.slice(1).map((time, i) => time - (times[i] as number))
  t.ok(gaps.every((gap) => gap > 190), `none early: ${gaps.map(Math.round).join(', ')} ms`)
  t.ok(Math.min(...gaps) < 320, 'and at the latest after 1.5 intervals, but for a busy machine')
})

await t.test('a stream that is not idle gets none', async (t) => {
  const { client, connection } = await open(t, { heartbeat: 200 })
  let n = 0
  const timer = setInterval(() => { connection.event(n++) }, 20)
  t.teardown(() => { clearInterval(timer) })
  await client.until('data: 30\n\n')
  t.notMatch(body(client), 'heartbeat')
})

await t.test('a heartbeat can be a named event, which a page can see', async (t) => {
  const { client } = await open(t, { heartbeat: 20, heartbeatEvent: 'alive' })
  await client.until('event: alive\ndata: \n\n')
})

await t.test('0 turns it off, for all or on a route', async (t) => {
  const silent = await open(t, { heartbeat: 20 }, { heartbeat: 0 })
  const loud = (await connect(t, silent.port)).get('/bytes')
  t.equal((await silent.witness.open(1)).transport, 'http1')
  const beating = await open(t, { heartbeat: 0 }, { heartbeat: 20 })
  await until(() => body(beating.client).includes(': heartbeat\n\n: heartbeat\n\n'))
  t.notMatch(silent.client.text, 'heartbeat')
  t.equal(body(loud), '', 'and a stream that is no event stream never has one')
})

await t.test('a heartbeat never cuts into what the app writes with chunk', async (t) => {
  const { client, connection } = await open(t, { heartbeat: 20 })
  await client.until(': heartbeat\n\n')
  connection.chunk('data: half of')
  const other = (await connect(t, client.socket.remotePort as number)).get('/')
  await until(() => body(other).split('heartbeat').length > 3)
  t.match(body(client), /data: half of$/)
  connection.chunk(Buffer.from(' it\r\n'))
  connection.chunk('\r\n')
  await until(() => /it\r\n\r\n: heartbeat\n\n/.test(body(client)))
})

await t.test('a heartbeat is not queued behind bytes that wait', async (t) => {
  const { client, connection } = await open(t, { heartbeat: 20, maxBuffered: 10_000_000 })
  client.pause()
  while (connection.queued === 0) {
    connection.event('x'.repeat(100_000))
    await new Promise(setImmediate)
  }
  await until(() => connection.queued > 0)
  const before = connection.bytes
  const other = (await connect(t, client.socket.remotePort as number)).get('/')
  await until(() => /(: heartbeat\n\n){3}/.test(body(other)))
  t.equal(connection.bytes, before)
})

await t.test('retry is told when the stream opens', async (t) => {
  const { client, port } = await open(t, { retry: 1_234 })
  await client.until('retry: 1234\n\n')
  t.equal(body(client), 'retry: 1234\n\n')
  const bytes = (await connect(t, port)).get('/bytes')
  await bytes.until((response) => response.status)
  t.equal(body(bytes), '', 'but only on event streams')
  const own = await open(t, { retry: 1_234 }, { retry: 0 })
  await own.client.until(':\n\n')
  t.notMatch(own.client.text, 'retry')
})

await t.test('a stream ends properly at its maximum age, with jitter', async (t) => {
  const { port, witness, client, app } = await open(t, { maxAge: 400 })
  const ages: number[] = []
  app.connections.on('close', ({ openedAt }) => { ages.push(Date.now() - openedAt) })
  await Promise.all(Array.from({ length: 19 }, async () => (await connect(t, port)).get('/')))
  await witness.sees(t, 'expired')
  await client.until((response) => response.complete)
  t.ok(Math.min(...ages) >= 299, `none before 75 %: ${Math.round(Math.min(...ages))} ms`)
  t.ok(Math.max(...ages) - Math.min(...ages) > 20, 'spread')
})

await t.test('one timer serves all connections, and none runs without them', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) }, { pastelli: { heartbeat: 20 } })
  const before = timers()
  const clients = await Promise.all(Array.from({ length: 20 }, async () => (await connect(t, port)).get('/')))
  await until(() => app.connections.size === 20)
  t.ok(timers() - before <= 1, 'unref\'d, it does not even count')
  for (const client of clients) client.leave()
  await until(() => app.connections.size === 0)
})

await t.test('what clients did while this process was busy is seen before it looks for those that did nothing', async (t) => {
  const order: string[] = []
  const server = net.createServer((socket) => { socket.on('data', () => { order.push('data') }) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  await Promise.all([once(client, 'connect'), once(server, 'connection')])
  const registry = { size: 1, [Symbol.iterator]: () => [{ sweep: () => { order.push('look') } }].values() }
  const clock = new Clock(registry as unknown as Registry)
  clock.cover({ heartbeat: 20, writeTimeout: 0, maxAge: 0, drain: 10_000 } as Settings)
  t.teardown(() => { clock.stop() })
  clock.start()
  client.write('x')
  const end = performance.now() + 50
  while (performance.now() < end);
  await until(() => order.length >= 2)
  t.same(order.slice(0, 2), ['data', 'look'])
})
