/** What is no request over HTTP/1, or not one for a stream: answered as ever, never within an open stream, and nothing of it is left. */
import { PassThrough, type Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { edge } from '../support/edge.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const HOST = 'Host: localhost\r\n'
const JSON_BODY = `${HOST}Content-Type: application/json\r\n`
const CHUNKED = `${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n`

const setup = (app: FastifyInstance) => {
  app.stream('/', { method: ['GET', 'POST'], bodyLimit: 100 }, (_request, reply) => { reply.event('hello') })
}

// What Node's parser refuses: the server can't know where the next request would begin.
const UNREADABLE: Array<[what: string, bytes: string, answer: RegExp]> = [
  ['100 KB of headers', `GET / HTTP/1.1\r\n${HOST}X-Big: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
  ['5,000 small headers', `GET / HTTP/1.1\r\n${HOST}${'X-Small: x\r\n'.repeat(5_000)}\r\n`, /^HTTP\/1.1 431 /],
  ['a target of 100 KB', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n${HOST}\r\n`, /^HTTP\/1.1 431 /],
  ['a method that does not exist', `STREAM / HTTP/1.1\r\n${HOST}\r\n`, /^HTTP\/1.1 400 /],
  ['a version that does not exist', `GET / HTTP/4.7\r\n${HOST}\r\n`, /^HTTP\/1.1 400 /],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1.1 400 /],
  ['a greeting of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^HTTP\/1.1 400 /],
  ['a header without a colon', `GET / HTTP/1.1\r\n${HOST}nonsense\r\n\r\n`, /^HTTP\/1.1 400 /],
  ['a space before the colon', `GET / HTTP/1.1\r\n${HOST}X-A : 1\r\n\r\n`, /^HTTP\/1.1 400 /],
  ['a NUL in a header', `GET / HTTP/1.1\r\n${HOST}X-A: \0\r\n\r\n`, /^HTTP\/1.1 400 /],
  ['a lone CR in a header', `GET / HTTP/1.1\r\n${HOST}X-A: 1\rX-B: 2\r\n\r\n`, /^HTTP\/1.1 400 /],
  ['a length beside chunks, which smuggles', `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`, /^HTTP\/1.1 400 /],
  ['chunks beside a length, which smuggle', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`, /^HTTP\/1.1 400 /],
  ['two lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\nContent-Length: 40\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`, /^HTTP\/1.1 400 /],
  ['a length that is no number', `POST / HTTP/1.1\r\n${HOST}Content-Length: +1\r\n\r\nx`, /^HTTP\/1.1 400 /],
  ['chunks that are not the last coding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, /^HTTP\/1.1 400 /],
  ['the size of a chunk that is no number', `POST / HTTP/1.1\r\n${CHUNKED}x\r\n{}\r\n0\r\n\r\n`, /^HTTP\/1.1 400 /],
  ['a chunk that is longer than its size', `POST / HTTP/1.1\r\n${CHUNKED}1\r\n{}\r\n0\r\n\r\n`, /^HTTP\/1.1 400 /],
  ['a chunk larger than any memory', `POST / HTTP/1.1\r\n${CHUNKED}fffffffffffffffff\r\n`, /^HTTP\/1.1 400 /]
]

// What can be read, and is no request for a stream: it is answered in its turn.
const REFUSED: Array<[what: string, bytes: string, answer: RegExp]> = [
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400 /],
  ['an expectation that nobody meets', `POST / HTTP/1.1\r\n${HOST}Expect: a miracle\r\nContent-Length: 0\r\n\r\n`, /^HTTP\/1.1 417 /],
  ['a body over the limit', `POST / HTTP/1.1\r\n${JSON_BODY}Content-Length: 101\r\n\r\n"${'x'.repeat(99)}"`, /^HTTP\/1.1 413 /],
  ['chunks over the limit', `POST / HTTP/1.1\r\n${CHUNKED}${'1\r\n1\r\n'.repeat(101)}0\r\n\r\n`, /^HTTP\/1.1 413 /],
  ['a body that is not what it says', `POST / HTTP/1.1\r\n${JSON_BODY}Content-Length: 1\r\n\r\n{`, /^HTTP\/1.1 400 /],
  ['a type of body that nobody reads', `POST / HTTP/1.1\r\n${HOST}Content-Type: text/x-unknown\r\nContent-Length: 1\r\n\r\nx`, /^HTTP\/1.1 415 /],
  ['OPTIONS', `OPTIONS / HTTP/1.1\r\n${HOST}\r\n`, /^HTTP\/1.1 404 /],
  ['OPTIONS of the whole server', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, /^HTTP\/1.1 404 /]
]

await t.test('alone on its socket it is answered, and no stream opens', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  for (const [what, bytes, answer] of [...UNREADABLE, ...REFUSED]) {
    const client = (await connect(t, port)).write(Buffer.from(bytes, 'latin1'))
    await client.answer()
    t.match(client.text, answer, what)
    t.notMatch(client.text, 'hello', what)
    client.leave()
  }
  await leavesNothing()
})

await t.test('what can\'t be read ends the stream behind which it comes, and is never answered into it', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  for (const [what, bytes] of UNREADABLE) {
    const client = (await connect(t, port)).get('/')
    await client.until('data: hello\n\n')
    const before = client.text
    client.write(Buffer.from(bytes, 'latin1'))
    await client.ended()
    t.equal(client.text, before, what)
  }
  await until(() => witness.closed.length === UNREADABLE.length)
  await leavesNothing(...UNREADABLE.map(() => 'client' as const))
})

await t.test('nor is it answered into a stream that a hook changes on its way, or that has trailers', async (t) => {
  const { port, leavesNothing } = await edge(t, (app) => {
    app.stream('/hook', { onSend: async (_request, _reply, payload) => (payload as unknown as Readable).pipe(new PassThrough()) }, (_request, reply) => { reply.event('hello') })
    app.stream('/trailers', (_request, reply) => {
      reply.trailer('x-sum', async () => '1')
      reply.event('hello')
    })
  })
  for (const path of ['/hook', '/trailers']) {
    const client = (await connect(t, port)).get(path)
    await client.until('data: hello\n\n')
    client.write('stray\r\n\r\n')
    await client.ended()
    t.notMatch(client.text, '400', path)
  }
  await leavesNothing('client', 'client')
})

await t.test('what can be read is answered behind the stream', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  for (const [nth, [what, bytes, answer]] of REFUSED.entries()) {
    const client = (await connect(t, port)).get('/')
    await client.until('data: hello\n\n')
    client.write(bytes)
    const connection = await witness.open(nth)
    await until(() => client.socket.writableLength === 0)
    connection.event('undisturbed')
    await client.until('data: undisturbed\n\n')
    connection.close()
    await client.until(({ rest }) => answer.test(rest.toString()))
    t.equal(client.response.body.toString(), 'data: hello\n\ndata: undisturbed\n\n', what)
    client.leave()
  }
  await leavesNothing(...REFUSED.map(() => 'server' as const))
})

await t.test('a tunnel that is asked for behind a stream, or alone, is a hang-up', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  const bytes = `CONNECT localhost:80 HTTP/1.1\r\n${HOST}\r\n`
  const alone = (await connect(t, port)).write(bytes)
  await alone.ended()
  t.equal(alone.text, '')
  const behind = (await connect(t, port)).get('/')
  await behind.until('data: hello\n\n')
  behind.write(bytes)
  await behind.ended()
  t.notOk(behind.response.complete)
  await leavesNothing('client')
})

await t.test('a body that is cut short by FIN or RST opens nothing', async (t) => {
  const { app, port, leavesNothing } = await edge(t, setup)
  const heads = [`POST / HTTP/1.1\r\n${JSON_BODY}Content-Length: 10\r\n\r\n[1,`, `POST / HTTP/1.1\r\n${CHUNKED}3\r\n[1,\r\n`, `POST / HTTP/1.1\r\n${CHUNKED}ff\r\n[1,`]
  for (const head of heads) {
    for (const end of ['halfClose', 'leave', 'reset'] as const) {
      let isThere = false
      app.server.once('request', () => { isThere = true })
      const client = (await connect(t, port)).write(head)
      await until(() => isThere, 'the head is read')
      client[end]()
      await client.ended()
    }
  }
  await leavesNothing()
})

await t.test('a head that trickles beside an open stream is told 408, and the stream goes on', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http: { headersTimeout: 100, connectionsCheckingInterval: 20 } } as never)
  const open = (await connect(t, port)).get('/')
  const slow = (await connect(t, port)).write('GET / HTTP/1.1\r\nHost: loc')
  await slow.ended()
  t.match(slow.text, /^HTTP\/1.1 408 /)
  const connection = await witness.open()
  t.equal(connection.phase, 'open')
  connection.close()
  await open.answer()
  open.leave()
  await leavesNothing('server')
})
