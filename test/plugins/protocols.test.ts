/** The same stream over every protocol: HTTP/1.1, HTTP/1.0, HTTP/2 in clear text, and each over TLS. */
import { once } from 'node:events'
import http2 from 'node:http2'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { CloseReason } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const routes = (app: FastifyInstance) => {
  app.stream('/live', (_request, reply) => { reply.initChunk('first', { id: 1 }) })
  app.stream('/finite', { method: ['GET', 'POST'] }, async (request, reply) => {
    reply.header('set-cookie', ['a=1', 'b=2'])
    await reply.event(request.body ?? 'grüße')
    await new Promise(setImmediate)
    await reply.chunk(Buffer.from(': bytes\n\n'))
    reply.closeChunk()
  })
  app.get('/text', (_request, reply) => {
    reply.type('text/plain').sendChunked(202).chunk('text')
    reply.closeChunk()
  })
  app.get('/plain', async () => 'plain')
}

const BODY = 'data: grüße\n\n: bytes\n\n'

// Warnings of the process, such as Node's on a Connection header in HTTP/2.
const warnings: string[] = []
process.on('warning', ({ message }) => { warnings.push(message) })

const ends = (server: { app: FastifyInstance }, expected: Partial<Record<CloseReason, number>>) => async (t: Test) => {
  await until(() => server.app.connections.size === 0)
  t.match(server.app.connections.counts, expected)
}

for (const tls of [false, true]) {
  t.test(`HTTP/1.1 ${tls ? 'over TLS' : 'in clear text'}`, async (t) => {
    const server = await start(t, routes, { tls })
    const client = await connect(t, server.port, { tls })
    const { status, headers, body, rest } = await client.get('/finite').answer()
    t.equal(status, 200)
    t.match(headers, { 'transfer-encoding': 'chunked', 'set-cookie': 'a=1\nb=2' })
    t.equal(body.toString(), BODY)
    t.equal(rest.length, 0)
    await client.get('/plain').until('\r\nplain')
    const live = (await connect(t, server.port, { tls })).get('/live')
    await live.until('id: 1\ndata: first\n\n')
    t.equal([...server.app.connections][0]?.transport, 'http1')
    live.leave()
    await ends(server, { server: 1, client: 1 })(t)
    t.same(server.noise(), [])
  })

  t.test(`HTTP/1.0 ${tls ? 'over TLS' : 'in clear text'}: the body is not framed, and the connection closes behind it`, async (t) => {
    const server = await start(t, routes, { tls })
    const client = await connect(t, server.port, { tls })
    client.write('GET /finite HTTP/1.0\r\n\r\n')
    await client.ended()
    const { status, headers, body } = client.response
    t.equal(status, 200)
    t.notOk('transfer-encoding' in headers)
    t.equal(body.toString(), BODY)
    const live = await connect(t, server.port, { tls })
    live.write('GET /live HTTP/1.0\r\n\r\n')
    await live.until('\r\n\r\nid: 1\ndata: first\n\n')
    const [connection] = server.app.connections
    t.equal(connection?.transport, 'response')
    t.equal(connection?.event('second'), true)
    await live.until('data: second\n\n')
    live.leave()
    await ends(server, { server: 1, client: 1 })(t)
    t.same(server.noise(), [])
  })

  t.test(`HTTP/2 ${tls ? 'over TLS' : 'in clear text'}`, async (t) => {
    const server = await start(t, routes, { http2: true, tls })
    const ask = await session(t, server.origin)
    const finite = await ask({ ':path': '/finite' })
    t.match(finite.headers, { ':status': 200, 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no', 'set-cookie': ['a=1', 'b=2'] })
    for (const name of ['connection', 'transfer-encoding', 'keep-alive']) t.notOk(name in finite.headers, name)
    await until(() => finite.ended)
    t.equal(finite.text, BODY)
    const posted = await ask({ ':path': '/finite', ':method': 'POST', 'content-type': 'application/json' }, '{"a":1}')
    await until(() => posted.ended)
    t.equal(posted.text, 'data: {"a":1}\n\n: bytes\n\n')
    const text = await ask({ ':path': '/text' })
    await until(() => text.ended)
    t.same([text.headers[':status'], text.headers['content-type'], text.text], [202, 'text/plain', 'text'])
    const live = await ask({ ':path': '/live' })
    await until(() => live.text === 'id: 1\ndata: first\n\n')
    t.equal([...server.app.connections][0]?.transport, 'http2')
    live.stream.close(http2.constants.NGHTTP2_CANCEL)
    await ends(server, { server: 3, client: 1 })(t)
    t.same(server.noise(), [])
  })

  t.test(`HEAD over HTTP/2 ${tls ? 'over TLS' : 'in clear text'} has the head of a GET and no body`, async (t) => {
    const server = await start(t, routes, { http2: true, tls })
    const ask = await session(t, server.origin)
    for (const path of ['/live', '/text']) {
      const head = await ask({ ':path': path, ':method': 'HEAD' })
      await until(() => head.ended)
      t.equal(head.text, '', path)
    }
    t.equal(server.app.connections.size, 0)
    t.same(server.noise(), [])
  })
}

t.test('HTTP/2 over TLS that allows HTTP/1: both on one port', async (t) => {
  const server = await start(t, routes, { http2: true, tls: true, allowHTTP1: true })
  const one = (await connect(t, server.port, { tls: true, alpn: ['http/1.1'] })).get('/live')
  await one.until('data: first')
  t.equal(one.response.headers['transfer-encoding'], 'chunked')
  const two = await (await session(t, server.origin))({ ':path': '/live' })
  await until(() => two.text.includes('data: first'))
  t.same([...server.app.connections].map(({ transport }) => transport), ['http1', 'http2'])
  for (const connection of server.app.connections) connection.event('to both')
  await one.until('data: to both\n\n')
  await until(() => two.text.includes('data: to both\n\n'))
  one.leave()
  two.stream.close()
  await ends(server, { client: 2 })(t)
  t.same(server.noise(), [])
})

t.test('Node has nothing to warn of', async (t) => {
  await new Promise(setImmediate)
  t.same(warnings, [])
})

interface Answer {
  headers: http2.IncomingHttpHeaders
  stream: http2.ClientHttp2Stream
  readonly text: string
  readonly ended: boolean
}

async function session (t: Test, origin: string): Promise<(headers: http2.OutgoingHttpHeaders, body?: string) => Promise<Answer>> {
  const client = http2.connect(origin, { rejectUnauthorized: false })
  t.teardown(() => { client.destroy() })
  return async (headers, body) => {
    const stream = client.request(headers)
    const chunks: Buffer[] = []
    let isEnded = false
    stream.on('data', (bytes: Buffer) => { chunks.push(bytes) }).on('end', () => { isEnded = true }).on('error', () => {})
    stream.end(body)
    const [received] = await once(stream, 'response') as [http2.IncomingHttpHeaders]
    return { headers: received, stream, get text () { return Buffer.concat(chunks).toString() }, get ended () { return isEnded } }
  }
}
