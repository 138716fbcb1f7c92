/** What clients of HTTP/2 may ask and hardly ever do, and what none should: who ends by it, and that nobody else does. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { edge, GIVING_UP, untilSockets } from '../support/edge.ts'
import { connectHttp2, FLAGS, frame, FRAMES, getBlock, literals, number, type RawHttp2, settings, WIDE_OPEN } from '../support/raw-http2.ts'
import { until } from '../support/until.ts'

const { endStream, endHeaders } = FLAGS
const CANCEL = 8

const setup = (app: FastifyInstance) => {
  app.stream('/', (_request, reply) => { reply.event('hello') })
  app.stream('/ends', (_request, reply) => {
    reply.event('hello')
    reply.closeChunk()
  })
  app.stream('/echo', { method: 'POST' }, (request, reply) => {
    reply.event(request.body)
    reply.closeChunk()
  })
}

const post = (headers: Record<string, string> = {}) => Buffer.concat([Buffer.from([0x83, 0x86]), literals({ ':path': '/echo', ':authority': 'localhost', 'content-type': 'text/plain', ...headers })])
const ended = (session: RawHttp2, id: number) => session.frames.some(({ stream, type, flags }) => stream === id && type <= FRAMES.headers && (flags & endStream) !== 0)

// However long the block of headers is.
function inPieces (id: number, block: Buffer): Buffer {
  const frames = [frame(FRAMES.headers, endStream, id, block.subarray(0, 16_384))]
  for (let at = 16_384; at < block.length; at += 16_384) frames.push(frame(FRAMES.continuation, 0, id, block.subarray(at, at + 16_384)))
  return Buffer.concat([...frames, frame(FRAMES.continuation, endHeaders, id)])
}

await t.test('a body in pieces, padded, with trailers', async (t) => {
  const { port, leavesNothing } = await edge(t, setup, { http2: true })
  const session = await connectHttp2(t, port)
  session.send(
    frame(FRAMES.headers, endHeaders, 1, post()), frame(FRAMES.data, 0, 1, 'a'), frame(FRAMES.data, FLAGS.padded, 1, '\x05b\0\0\0\0\0'), frame(FRAMES.data, 0, 1, ''),
    frame(FRAMES.headers, endStream | endHeaders, 1, literals({ 'x-sum': '2' }))
  )
  await session.until(() => ended(session, 1))
  t.equal(session.text(1), 'data: ab\n\n')
  session.client.leave()
  await leavesNothing('server')
})

await t.test('a body that is cut short, or is not as long as it said, opens nothing, and the session goes on', async (t) => {
  const { port, leavesNothing } = await edge(t, setup, { http2: true })
  const session = await connectHttp2(t, port)
  session.send(frame(FRAMES.headers, endHeaders, 3, post()), frame(FRAMES.data, 0, 3, 'x'), number(FRAMES.reset, 3, CANCEL))
  session.send(frame(FRAMES.headers, endHeaders, 5, post({ 'content-length': '5' })), frame(FRAMES.data, endStream, 5, 'x'))
  await session.until(() => session.resetCode(5) !== undefined)
  session.get(7, '/ends')
  await session.until(() => ended(session, 7))
  t.equal(session.text(3), '')
  t.equal(session.text(5), '')
  session.client.leave()
  await leavesNothing('server')
})

await t.test('who expects to be told to continue is told so', async (t) => {
  const { port, leavesNothing } = await edge(t, setup, { http2: true })
  const session = await connectHttp2(t, port)
  session.send(frame(FRAMES.headers, endHeaders, 1, post({ expect: '100-continue' })))
  await session.until(() => session.of(FRAMES.headers, 1).length === 1)
  session.send(frame(FRAMES.data, endStream, 1, 'x'))
  await session.until(() => ended(session, 1))
  t.equal(session.of(FRAMES.headers, 1).length, 2)
  t.equal(session.text(1), 'data: x\n\n')
  session.client.leave()
  await leavesNothing('server')
})

await t.test('a GET whose client leaves its own side open, or sends a body that nobody reads, is a stream like any other', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true })
  const session = await connectHttp2(t, port)
  session.send(frame(FRAMES.headers, endHeaders, 1, getBlock('/ends')), frame(FRAMES.headers, endHeaders, 3, getBlock('/ends')), frame(FRAMES.data, 0, 3, 'x'.repeat(16_384)))
  await session.until(() => ended(session, 1) && ended(session, 3))
  session.send(frame(FRAMES.headers, endHeaders, 5, getBlock('/')), ...Array<Buffer>(3).fill(frame(FRAMES.data, 0, 5, 'x'.repeat(16_384))))
  await session.until(() => session.text(5).includes('hello'))
  session.send(number(FRAMES.reset, 5, CANCEL))
  await until(() => witness.closed.length === 3)
  t.same(session.goAways, [])
  session.client.leave()
  await leavesNothing('server', 'server', 'client')
})

await t.test('targets and pseudo-headers that are none are answered or reset, and the session goes on', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true })
  const session = await connectHttp2(t, port)
  const GET = Buffer.from([0x82, 0x86])
  const blocks = [
    getBlock('/%zz'), getBlock('//'), getBlock('/nowhere'), Buffer.concat([getBlock('/ends'), literals({ ':path': '/ends' })]),
    ...[{ 'x-a': '\0' }, { 'X-Upper': 'case' }, { connection: 'keep-alive' }, { 'transfer-encoding': 'chunked' }, { te: 'gzip' }, { ':status': '200' }].map((headers) => getBlock('/ends', headers as {})),
    Buffer.concat([GET, literals({ ':authority': 'localhost' })]), Buffer.concat([GET, literals({ ':path': '' })]), literals({ ':method': 'CONNECT', ':authority': 'localhost:80' })
  ]
  for (const [nth, block] of blocks.entries()) {
    const id = 1 + 2 * nth
    session.send(frame(FRAMES.headers, endStream | endHeaders, id, block))
    await session.until(() => ended(session, id) || session.resetCode(id) !== undefined)
  }
  t.same(session.goAways, [])
  // What may be left out of a head is, and the rest is a stream.
  await until(() => witness.closed.length === witness.opened.length)
  t.ok(witness.opened.length < 6)
  session.get(101, '/ends')
  await session.until(() => session.text(101) === 'data: hello\n\n')
  session.client.leave()
  await leavesNothing(...witness.opened.map(() => 'server' as const))
})

// What breaks the session as a whole.
const BREAKING: Array<[what: string, bytes: Buffer]> = [
  ['data that belong to no stream', frame(FRAMES.data, 0, 0, 'x')],
  ['headers of a stream of the server\'s', frame(FRAMES.headers, endStream | endHeaders, 2, getBlock('/'))],
  ['headers that no table has', frame(FRAMES.headers, endStream | endHeaders, 9, '\xff\xff\xff\xff\xff')],
  ['headers in the midst of headers', Buffer.concat([frame(FRAMES.headers, endStream, 9, getBlock('/')), frame(FRAMES.headers, endStream | endHeaders, 11, getBlock('/'))])],
  ['a window that grows by nothing', number(FRAMES.window, 0, 0)],
  ['a window that grows beyond what a window may be', number(FRAMES.window, 0, WIDE_OPEN)],
  ['a reset of a stream that never was', number(FRAMES.reset, 99, CANCEL)],
  ['settings of half a setting', frame(FRAMES.settings, 0, 0, '123')],
  ['a setting that may not be', settings([4, 2 ** 32 - 1])],
  ['a ping of seven bytes', frame(FRAMES.ping, 0, 0, '1234567')],
  ['a frame that is too large', frame(FRAMES.data, 0, 1, 'x'.repeat(16_385))],
  ['a promise of a push', frame(FRAMES.push, endHeaders, 1, '\0\0\0\x02')],
  ['a header of 100 KB', inPieces(9, Buffer.concat([getBlock('/'), Buffer.from(`\0\x01x\x7f\xa1\x8c\x06${'x'.repeat(100_000)}`, 'latin1')]))],
  ['a farewell with an error', frame(FRAMES.goaway, 0, 0, '\0\0\0\0\0\0\0\x0b')],
  ['no HTTP/2 at all', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')]
]

await t.test('what breaks the session ends its streams, once each, and no other session', async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup, { ...GIVING_UP, places: BREAKING.length })
  await Promise.all(BREAKING.map(async ([what, bytes]) => {
    const session = (await connectHttp2(t, port)).get(1, '/')
    await session.until(() => session.text(1) === 'data: hello\n\n')
    session.send(bytes)
    await until(() => session.client.isEnded || session.goAways.length !== 0, `the server gives the session up: ${what}`)
    session.client.leave()
  }))
  await until(() => witness.closed.length === BREAKING.length, 'the stream of each has ended')
  t.ok(witness.reasons.every((reason) => reason === 'client' || reason === 'timeout'))
  await untilSockets(app, 1)
  await leavesNothing(...witness.reasons)
})

await t.test('more headers than Node takes are no stream, and the session goes on', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true })
  const session = await connectHttp2(t, port)
  session.send(inPieces(1, Buffer.concat([getBlock('/'), ...Array<Buffer>(1_000).fill(literals({ 'x-a': 'b' }))])))
  await session.until(() => session.resetCode(1) !== undefined)
  t.equal(witness.opened.length, 0)
  session.get(3, '/ends')
  await session.until(() => session.text(3) === 'data: hello\n\n')
  session.client.leave()
  await leavesNothing('server')
})

await t.test('a frame of a type that nobody knows, a priority and a ping change nothing', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { http2: true })
  const session = (await connectHttp2(t, port)).get(1, '/')
  await session.until(() => session.text(1) === 'data: hello\n\n')
  session.send(frame(0xbe, 0xff, 1, 'what is this'), frame(FRAMES.priority, 0, 1, '\0\0\0\x03\x10'), frame(FRAMES.ping, 0, 0, '12345678'))
  await session.until(() => session.of(FRAMES.ping).length === 1)
  t.same(session.of(FRAMES.ping)[0]?.payload.toString(), '12345678')
  ;(await witness.open()).event('undisturbed')
  await session.until(() => session.text(1) === 'data: hello\n\ndata: undisturbed\n\n')
  session.client.leave()
  await leavesNothing('client')
})

await t.test('a client that says farewell keeps the streams it has, and gets their ends', async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup, { http2: true })
  const session = (await connectHttp2(t, port)).get(1, '/').get(3, '/')
  await until(() => witness.opened.length === 2)
  session.send(frame(FRAMES.goaway, 0, 0, '\0\0\0\0\0\0\0\0'))
  await session.until(() => session.goAways.length === 1)
  const [first, second] = witness.opened
  first?.event('goes on')
  await session.until(() => session.text(1) === 'data: hello\n\ndata: goes on\n\n')
  first?.close()
  await session.until(() => ended(session, 1))
  t.equal(second?.phase, 'open')
  second?.close()
  await session.until(() => ended(session, 3))
  await session.client.ended()
  await untilSockets(app, 1)
  await leavesNothing('server', 'server')
})
