/** Streams over TLS whose TCP goes its own ways: cut without a word, closed by half, garbled; and HTTP/1 on a port that prefers HTTP/2. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { edge, untilSockets } from '../support/edge.ts'
import { connectHttp2, WIDE_OPEN } from '../support/raw-http2.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { until } from '../support/until.ts'

const setup = (app: FastifyInstance) => {
  app.stream('/', (_request, reply) => { reply.event('hello') })
  app.stream('/ends', (_request, reply) => {
    reply.event('hello')
    reply.closeChunk()
  })
  app.get('/plain', async () => 'plain')
}

const ENDS: Array<[what: string, end: (client: RawClient) => unknown]> = [
  ['its TCP ends without close_notify', (client) => client.vanish()],
  ['its TCP is reset', (client) => client.reset()],
  ['it sends close_notify and reads on', (client) => client.halfClose()],
  ['it leaves', (client) => client.leave()],
  ['what comes is no record', (client) => client.writeBelow('no record of TLS at all\r\n\r\n')],
  ['what comes is a record that was tampered with', (client) => client.writeBelow(Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32)]))]
]

for (const [what, end] of ENDS) {
  await t.test(`HTTP/1: ${what}`, async (t) => {
    const { port, leavesNothing } = await edge(t, setup, { tls: true })
    const client = (await connect(t, port, { tls: true })).get('/')
    await client.until('data: hello\n\n')
    end(client)
    await client.closed()
    t.notOk(client.response.complete)
    await leavesNothing('client')
  })

  await t.test(`HTTP/2: ${what}`, async (t) => {
    const { port, witness, leavesNothing } = await edge(t, setup, { tls: true, http2: true })
    const session = (await connectHttp2(t, port, WIDE_OPEN, { tls: true, alpn: ['h2'] })).get(1, '/').get(3, '/')
    await session.until(() => session.text(1) !== '' && session.text(3) !== '')
    end(session.client)
    await until(() => witness.closed.length === 2)
    session.client.leave()
    await leavesNothing('client', 'client')
  })
}

await t.test('clear text on a port of TLS, and handshakes that break off, open nothing', async (t) => {
  const { app, port, leavesNothing } = await edge(t, setup, { tls: true })
  const plain = (await connect(t, port)).get('/')
  await plain.closed()
  t.notMatch(plain.text, '200')
  for (const way of ['halfClose', 'leave', 'reset'] as const) {
    const client = (await connect(t, port)).write(Buffer.from([0x16, 3, 1, 2, 0, 1]))
    await untilSockets(app, 2)
    client[way]()
    await untilSockets(app, 1)
  }
  await leavesNothing()
})

await t.test('HTTP/1 where HTTP/2 was to be had: whoever asks for it, or for nothing, gets streams, pipelines and proper ends', async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup, { tls: true, http2: true, allowHTTP1: true })
  for (const alpn of [['http/1.1'], undefined]) {
    const client = (await connect(t, port, { tls: true, ...alpn && { alpn } })).get('/ends').get('/ends').get('/plain')
    await until(() => client.text.endsWith('plain'))
    t.same([...client.text.matchAll(/^d\r\ndata: hello\n\n\r\n0\r\n\r\n/gm)].length, 2)
    client.leave()
    const old = (await connect(t, port, { tls: true, ...alpn && { alpn } })).write('GET /ends HTTP/1.0\r\n\r\n')
    await old.closed()
    t.equal(old.response.body.toString(), 'data: hello\n\n')
  }
  await untilSockets(app, 1)
  await leavesNothing(...witness.opened.map(() => 'server' as const))
})

for (const [what, end] of [...ENDS, ['stray bytes come', (client: RawClient) => client.write('stray\r\n\r\n')] as const]) {
  await t.test(`HTTP/1 where HTTP/2 was to be had: ${what}`, async (t) => {
    const { port, leavesNothing } = await edge(t, setup, { tls: true, http2: true, allowHTTP1: true })
    const client = (await connect(t, port, { tls: true, alpn: ['http/1.1'] })).get('/')
    await client.until('data: hello\n\n')
    end(client)
    await client.closed()
    t.notMatch(client.text, '400')
    await leavesNothing('client')
  })
}

await t.test('a protocol that nobody speaks is no handshake', async (t) => {
  const { port, leavesNothing } = await edge(t, setup, { tls: true, http2: true })
  await t.rejects(connect(t, port, { tls: true, alpn: ['spdy/3'] }))
  await leavesNothing()
})
