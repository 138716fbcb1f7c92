/** What clients of HTTP/1 may ask, and hardly ever do: it is a stream like any other, byte by byte. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { edge } from '../support/edge.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const HOST = 'Host: localhost\r\n'
const BODY = 'data: {"a":1}\n\n'
const STREAM_HEAD = /^HTTP\/1.1 200 OK\r\ncontent-type: text\/event-stream; charset=utf-8\r\n/

const setup = (app: FastifyInstance) => {
  app.stream('/live', (_request, reply) => { reply.event('hello') })
  app.stream('/echo', { method: ['GET', 'POST'] }, async (request, reply) => {
    await reply.event(request.body ?? 'no body')
    reply.closeChunk()
  })
}

await t.test('who expects to be told to continue is told so, and then gets the stream', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  const client = await connect(t, port)
  client.write(`POST /echo HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n`)
  await client.until('\r\n\r\n')
  t.equal(client.text, 'HTTP/1.1 100 Continue\r\n\r\n')
  client.write('{"a":1}')
  await client.until('0\r\n\r\n')
  t.match(client.text.slice('HTTP/1.1 100 Continue\r\n\r\n'.length), STREAM_HEAD)
  t.match(client.text, `\r\n\r\nf\r\n${BODY}\r\n0\r\n\r\n`)
  client.leave()
  const waits = (await connect(t, port)).write(`POST /echo HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n`)
  await waits.until('100 Continue')
  waits.leave()
  await leavesNothing('server')
})

await t.test('one that expects it behind a stream is told in its turn', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  const client = (await connect(t, port)).get('/live')
  await client.until('data: hello\n\n')
  client.write(`POST /echo HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n{"a":1}`)
  await witness.open(1)
  t.notMatch(client.text, '100 Continue')
  ;(await witness.open()).close()
  await until(() => client.text.endsWith('0\r\n\r\n') && client.text.includes(BODY))
  t.match(client.response.rest.toString(), /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/)
  client.leave()
  await leavesNothing('server', 'server')
})

await t.test('a body in chunks, with extensions and trailers, byte by byte', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  const client = await connect(t, port)
  const request = `POST /echo HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n` +
    '2;name="value"\r\n{"\r\n005\r\na":1}\r\n0\r\nX-Sum: 7\r\n\r\n'
  for (const byte of Buffer.from(request)) client.write(Buffer.from([byte]))
  t.equal((await client.answer()).body.toString(), BODY)
  client.leave()
  await leavesNothing('server')
})

await t.test('HTTP/1.0, whatever it says of keep-alive: the body is not framed, and the connection ends with it', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  for (const headers of ['', 'Connection: keep-alive\r\n', `${HOST}Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n`, 'Connection: close\r\n']) {
    const client = (await connect(t, port)).write(`GET /live HTTP/1.0\r\n${headers}\r\n`)
    await client.until('data: hello\n\n')
    t.match(client.response.headers, { connection: 'close', 'transfer-encoding': undefined, 'content-length': undefined })
    const connection = await witness.open(witness.opened.length - 1)
    connection.event('bye')
    connection.close()
    await client.closed()
    t.equal(client.response.body.toString(), 'data: hello\n\ndata: bye\n\n')
  }
  await leavesNothing(...Array(4).fill('server'))
})

await t.test('HTTP/1.0 that can read chunks gets chunks, and its connection ends all the same', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  const client = (await connect(t, port)).write('GET /echo HTTP/1.0\r\nTE: chunked\r\n\r\n')
  await client.closed()
  t.match(client.response.headers, { connection: 'close', 'transfer-encoding': 'chunked' })
  t.ok(client.response.complete)
  t.equal(client.response.body.toString(), 'data: no body\n\n')
  await leavesNothing('server')
})

await t.test('a client of HTTP/1.0 that pipelines gets one answer', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  const client = (await connect(t, port)).write('GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'.repeat(2))
  await client.closed()
  t.equal(client.text.split('HTTP/1.1 200 OK').length, 2)
  await leavesNothing('server', 'server')
})

await t.test('HTTP/1.1 that wants the connection closed: the stream is framed, and it is closed behind it', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  const client = (await connect(t, port)).get('/echo', { Connection: 'close' })
  await client.closed()
  t.equal(client.response.headers.connection, 'close')
  t.ok(client.response.complete)
  t.equal(client.response.rest.length, 0)
  await leavesNothing('server')
})

await t.test('a target in absolute form, an empty line ahead, header names in any case, and a Host that is none', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  const requests = [
    `GET http://localhost/echo HTTP/1.1\r\n${HOST}\r\n`, `GET https://example.com:1/echo?a HTTP/1.1\r\n${HOST}\r\n`, `\r\n\r\nGET /echo HTTP/1.1\r\n${HOST}\r\n`,
    'GET /echo HTTP/1.1\r\nhOsT: localhost\r\n\r\n', 'GET /echo HTTP/1.1\r\nHost:\r\n\r\n', 'GET /echo HTTP/1.1\r\nHost: [::%%%/\\\r\n\r\n', `GET /echo HTTP/1.1\r\n${HOST}Host: other\r\n\r\n`
  ]
  for (const request of requests) {
    const client = (await connect(t, port)).write(request)
    const { body } = await client.answer()
    t.equal(body.toString(), 'data: no body\n\n', request)
    client.leave()
  }
  await leavesNothing(...requests.map(() => 'server' as const))
})

await t.test('HEAD and GET on one socket: the one has the head of the other, and no body', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  const client = (await connect(t, port)).request('HEAD', '/echo').get('/echo')
  await client.until('0\r\n\r\n')
  const [head, get] = client.text.split(/(?=HTTP\/1.1 200 OK)/) as [string, string]
  t.match(head, STREAM_HEAD)
  t.match(head, /\r\n\r\n$/)
  t.match(get, /\r\n\r\nf\r\ndata: no body\n\n\r\n0\r\n\r\n$/)
  client.leave()
  await leavesNothing('server')
})

await t.test('the body of a GET, which nobody reads, hides no client that leaves', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  const bodies: Array<[headers: string, body: string]> = [
    ['Content-Length: 300000\r\n', 'x'.repeat(200_000)],
    ['Content-Length: 200000\r\n', 'x'.repeat(200_000)],
    ['Transfer-Encoding: chunked\r\n', `30d40\r\n${'x'.repeat(200_000)}\r\n`]
  ]
  for (const [headers, body] of bodies) {
    for (const end of ['halfClose', 'leave', 'reset'] as const) {
      const client = (await connect(t, port)).write(`GET /live HTTP/1.1\r\n${HOST}${headers}\r\n${body}`)
      await client.until('data: hello\n\n')
      await until(() => client.socket.writableLength === 0, 'the body is sent')
      client[end]()
      await until(() => witness.closed.length === witness.opened.length)
      await client.closed()
    }
  }
  await leavesNothing(...Array(9).fill('client'))
})
