/** Windows of HTTP/2 that are small, shut, or open on a socket that nobody reads: nothing is lost, nothing grows, nothing hangs. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Connection, PastelliOptions } from '../../index.ts'
import { edge, untilSockets } from '../support/edge.ts'
import { connectHttp2, FRAMES, number, SETTINGS, settings, WIDE_OPEN } from '../support/raw-http2.ts'
import { until } from '../support/until.ts'

const INTERNAL_ERROR = 2
const EVENT = `data: ${'x'.repeat(10_000)}\n\n`

const setup = (app: FastifyInstance) => {
  app.stream('/', (_request, reply) => { reply.event('hello') })
  app.get('/plain', async () => 'plain')
}

await t.test('a window of nothing: the head comes, the bytes as far as each update lets them', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true })
  const session = (await connectHttp2(t, port, 0)).get(1, '/')
  await session.until(() => session.of(FRAMES.headers, 1).length === 1)
  const connection = await witness.open()
  t.equal(connection.event('second'), true, 'there is room in the queue')
  t.equal(session.text(1), '')
  let expected = ''
  for (const size of [1, 5, 7]) {
    session.send(number(FRAMES.window, 1, size))
    expected = 'data: hello\n\ndata: second\n\n'.slice(0, expected.length + size)
    await session.until(() => session.text(1) === expected)
  }
  session.send(settings([SETTINGS.initialWindow, 1_000]))
  await session.until(() => session.text(1) === 'data: hello\n\ndata: second\n\n')
  connection.close()
  await session.until(() => session.frames.some(({ type, flags, stream }) => type === FRAMES.data && stream === 1 && (flags & 1) === 1))
  session.client.leave()
  await leavesNothing('server')
})

await t.test('settings that take back what was granted stop the stream until it is granted again', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true })
  const session = (await connectHttp2(t, port, 100)).get(1, '/')
  await session.until(() => session.text(1) === 'data: hello\n\n')
  session.send(settings([SETTINGS.initialWindow, 0]))
  await session.until(() => session.of(FRAMES.settings).length === 3)
  const connection = await witness.open()
  connection.event('more')
  const ping = '12345678'
  session.send(Buffer.concat([Buffer.from([0, 0, 8, FRAMES.ping, 0, 0, 0, 0, 0]), Buffer.from(ping)]))
  await session.until(() => session.of(FRAMES.ping).length === 1)
  t.equal(session.text(1), 'data: hello\n\n', 'the window is 13 below nothing')
  session.send(settings([SETTINGS.initialWindow, WIDE_OPEN]))
  await session.until(() => session.text(1) === 'data: hello\n\ndata: more\n\n')
  session.client.leave()
  await leavesNothing('client')
})

await t.test('a sender waits for the window, is released by it, and every byte arrives in order', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true })
  const session = (await connectHttp2(t, port, 0)).get(1, '/')
  const connection = await witness.open()
  let sent = 0
  const sending = (async () => {
    for (; sent < 30; sent++) await connection.event('x'.repeat(10_000))
  })()
  await until(() => connection.queued > 40_000)
  t.ok(sent < 10, `it waits behind ${sent} events`)
  session.send(number(FRAMES.window, 1, 1_000_000))
  await sending
  await session.until(() => session.text(1) === 'data: hello\n\n' + EVENT.repeat(30))
  session.client.leave()
  await leavesNothing('client')
})

await t.test('past maxBuffered the stream alone is reset, with overflow, and past writeTimeout with timeout; the session goes on', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true, pastelli: { maxBuffered: 100_000, writeTimeout: 300 } })
  const session = (await connectHttp2(t, port, 0)).get(1, '/')
  const flooded = await witness.open()
  while (flooded.phase === 'open') void flooded.event('x'.repeat(10_000))
  await session.until(() => session.resetCode(1) === INTERNAL_ERROR)
  session.get(3, '/')
  await session.until(() => session.resetCode(3) === INTERNAL_ERROR)
  session.send(settings([SETTINGS.initialWindow, 65_535])).get(5, '/').get(7, '/plain')
  await session.until(() => session.text(5) === 'data: hello\n\n' && session.text(7) === 'plain')
  t.same(session.goAways, [])
  session.client.leave()
  await leavesNothing('overflow', 'timeout', 'client')
})

await t.test('a stream that was closed and whose window stays shut is reset after the drain time, with the reason that there was', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true, pastelli: { drain: 200 } })
  const session = (await connectHttp2(t, port, 0)).get(1, '/')
  const connection = await witness.open()
  connection.close('expired')
  t.equal(connection.phase, 'closing')
  await session.until(() => session.resetCode(1) === INTERNAL_ERROR)
  session.client.leave()
  await leavesNothing('expired')
})

const STALLED: Array<[reason: 'timeout' | 'overflow', own: PastelliOptions, send: (connection: Connection) => unknown]> = [
  ['timeout', { writeTimeout: 300 }, () => {}],
  ['overflow', { maxBuffered: 100_000 }, (connection) => { while (connection.phase === 'open') void connection.event('x'.repeat(60_000)) }]
]

for (const [reason, own, send] of STALLED) {
  for (const tls of [false, true]) {
    await t.test(`a client whose windows are open and who reads nothing of its socket${tls ? ', over TLS,' : ''} loses the session with its streams, which end with ${reason}`, async (t) => {
      const { app, port, witness, leavesNothing } = await edge(t, setup, { http2: true, tls, pastelli: { heartbeat: 100, ...own } })
      const session = (await connectHttp2(t, port, WIDE_OPEN, { tls, alpn: ['h2'] })).get(1, '/').get(3, '/')
      await session.until(() => session.of(FRAMES.ping).length !== 0)
      session.client.pause()
      const flood = async (connection: Connection) => { while (await connection.event('x'.repeat(60_000))); }
      for (const connection of witness.opened) void flood(connection)
      await until(() => witness.opened.every(({ queued, reason }) => queued > 50_000 || reason !== null), 'the streams are full')
      for (const connection of witness.opened) send(connection)
      await until(() => witness.closed.length === 2)
      await untilSockets(app, 1)
      session.client.leave()
      await leavesNothing(reason, reason)
    })
  }
}

await t.test('a client that has only been slow to take the reset keeps its session', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, (app) => {
    setup(app)
    app.stream('/flood', async (_request, reply) => { while (await reply.event('x'.repeat(60_000))); })
  }, { http2: true, pastelli: { writeTimeout: 200, drain: 2_000 } })
  const session = await connectHttp2(t, port, WIDE_OPEN)
  session.client.pause()
  session.get(1, '/flood')
  await until(() => witness.closed.length === 1)
  session.client.resume()
  await session.until(() => session.resetCode(1) === INTERNAL_ERROR)
  session.get(3, '/')
  await session.until(() => session.text(3) === 'data: hello\n\n')
  session.client.leave()
  await leavesNothing('timeout', 'client')
})
