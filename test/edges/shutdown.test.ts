/** Shutdown among clients that hold on: whatever they have sent by half, or do not read, the app closes, and in time. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { untilSockets } from '../support/edge.ts'
import { connectHttp2, FLAGS, FRAMES, WIDE_OPEN } from '../support/raw-http2.ts'
import { start, type ServerOptions } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const FIRST_OF_TLS = Buffer.from([0x16, 3, 1, 2, 0, 1])   // half of the head of a handshake

const setup = (app: FastifyInstance) => {
  app.stream('/', (_request, reply) => { reply.event('hello') })
  app.get('/plain', async () => 'plain')
}

const SERVERS: Array<[name: string, options: ServerOptions]> = [
  ['HTTP/1', {}], ['HTTP/1 over TLS', { tls: true }], ['HTTP/1 over a TLS that prefers HTTP/2', { tls: true, http2: true, allowHTTP1: true }]
]

for (const [name, options] of SERVERS) {
  await t.test(`${name}: who has sent nothing, half a handshake or half a head is cut, and never told 503`, async (t) => {
    const { app, port } = await start(t, setup, options)
    const { tls } = options
    const half = await connect(t, port, { tls })
    const clients = [await connect(t, port), await connect(t, port, { tls }), half.write('GET / HTTP/1.1\r\nHost: loc')]
    if (tls === true) clients.push((await connect(t, port)).write(FIRST_OF_TLS))
    const used = (await connect(t, port, { tls })).get('/plain')
    await used.answer()
    const open = (await connect(t, port, { tls })).get('/')
    await open.until('hello')
    await untilSockets(app, clients.length + 2)
    await app.close()
    for (const client of clients) {
      await client.closed()
      t.equal(client.text, '')
    }
    await used.closed()
    await open.closed()
    t.ok(open.response.complete)
  })
}

await t.test('streams that wait in a pipeline end with the one ahead of them, and each is told why', async (t) => {
  const { app, port } = await start(t, setup)
  const witness = new Witness(app)
  const client = (await connect(t, port)).get('/').get('/').get('/plain')
  await until(() => witness.opened.length === 2)
  await client.until('hello')
  await app.close()
  await witness.sees(t, 'shutdown')
  await client.closed()
  t.ok(client.response.complete)
})

for (const tls of [false, true]) {
  await t.test(`over HTTP/2 ${tls ? 'and TLS ' : ''}GOAWAY comes first, then the end of each stream, and none is reset`, async (t) => {
    const { app, port } = await start(t, setup, { http2: true, tls })
    const witness = new Witness(app)
    const session = await connectHttp2(t, port, WIDE_OPEN, { tls, alpn: ['h2'] })
    const ids = [1, 3, 5, 7, 9]
    for (const id of ids) session.get(id, '/')
    await until(() => witness.opened.length === ids.length)
    await app.close()
    await session.client.closed()
    const goAway = session.frames.findIndex(({ type }) => type === FRAMES.goaway)
    t.equal(session.goAways[0], 0)
    for (const id of ids) {
      const end = session.frames.findIndex(({ stream, flags }) => stream === id && (flags & FLAGS.endStream) !== 0)
      t.ok(end > goAway, `stream ${id} ends behind it`)
      t.match(session.text(id), /^data: hello\n\nretry: \d+\n\n$/)
      t.equal(session.resetCode(id) ?? 0, 0)
    }
    await witness.sees(t, 'shutdown')
  })
}

await t.test('a client of HTTP/2 that reads nothing of its socket is cut at the deadline', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', async (_request, reply) => { while (await reply.event('x'.repeat(60_000))); })
  }, { http2: true, pastelli: { drain: 300 } })
  const witness = new Witness(app)
  const session = await connectHttp2(t, port, WIDE_OPEN)
  session.client.pause()
  session.get(1, '/').get(3, '/')
  await until(() => witness.opened.length === 2)
  await until(() => witness.opened.every(({ queued }) => queued > 65_536), 'the streams are full')
  await app.close()
  await witness.sees(t, 'shutdown')
})

await t.test('one that answers neither GOAWAY nor the end of its socket is cut as well', async (t) => {
  const { app, port } = await start(t, setup, { http2: true, pastelli: { drain: 300 } })
  const session = await connectHttp2(t, port, WIDE_OPEN, { allowHalfOpen: true })
  const { client } = session
  await app.close()
  t.equal(session.goAways[0], 0)
  t.ok(client.isEnded, 'it had been told')
  t.ok(client.socket.writable, 'and would have gone on')
})
