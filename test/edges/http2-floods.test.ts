/** Clients of HTTP/2 that do too much of a thing: Node says how much is too much, and nothing is left of what it cut. */
import http2 from 'node:http2'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { heldBytes } from '../support/garbage.ts'
import { edge, GIVING_UP, untilSockets } from '../support/edge.ts'
import { connectHttp2, FLAGS, frame, FRAMES, getBlock, number, settings, WIDE_OPEN } from '../support/raw-http2.ts'
import { until } from '../support/until.ts'

const CANCEL = 8

const setup = (app: FastifyInstance) => {
  app.stream('/', (_request, reply) => { reply.event('hello') })
  app.get('/plain', async () => 'plain')
}

await t.test('resets in a storm, as many as Node allows and then more: every stream that opened closes once', async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup, { ...GIVING_UP, places: Infinity })
  for (const pause of [true, false]) {
    const session = await connectHttp2(t, port, WIDE_OPEN)
    let id = 1
    for (let burst = 0; burst < 12 && !session.client.isEnded; burst++) {
      const frames: Buffer[] = []
      for (let i = 0; i < 100; i++, id += 2) frames.push(frame(FRAMES.headers, FLAGS.endStream | FLAGS.endHeaders, id, getBlock('/')), number(FRAMES.reset, id, CANCEL))
      session.send(...frames)
      if (pause) await new Promise(setImmediate)
    }
    await until(() => session.goAways.length !== 0 || session.client.isEnded, 'Node has had enough')
    session.client.leave()
    await untilSockets(app, 1)
    await until(() => witness.closed.length === witness.opened.length)
  }
  t.ok(witness.reasons.every((reason) => reason === 'client' || reason === 'timeout'))
  await leavesNothing(...witness.reasons)
})

await t.test('resets within what Node allows, session by session: the heap does not grow', async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup, { http2: true, places: Infinity })
  const storm = async () => {
    const session = await connectHttp2(t, port, WIDE_OPEN)
    for (let id = 1; id < 600; id += 2) {
      session.send(frame(FRAMES.headers, FLAGS.endStream | FLAGS.endHeaders, id, getBlock('/')), number(FRAMES.reset, id, CANCEL))
      if (id % 100 === 99) await new Promise(setImmediate)
    }
    session.get(1_001, '/plain')
    await session.until(() => session.text(1_001) === 'plain')
    session.client.leave()
    await untilSockets(app, 1)
    await until(() => witness.closed.length === witness.opened.length)
    const { length } = witness.closed
    t.ok(witness.closed.every(({ reason }) => reason === 'client'))
    witness.opened.length = witness.closed.length = 0
    return length
  }
  await storm()
  const before = await heldBytes()
  let streams = 0
  for (let i = 0; i < 3; i++) streams += await storm()
  const grown = await heldBytes() - before
  t.ok(grown < 2_000_000, `${grown} bytes more are held after ${streams} streams`)
  await leavesNothing()
})

await t.test('pings and settings without end: answered while they are read, else the session ends', async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup, { ...GIVING_UP, places: 10 })
  for (const flood of [frame(FRAMES.ping, 0, 0, '12345678'), settings()]) {
    const reads = (await connectHttp2(t, port, WIDE_OPEN)).get(1, '/')
    await reads.until(() => reads.text(1).includes('hello'))
    for (let i = 0; i < 20; i++) {
      reads.send(...Array<Buffer>(100).fill(flood))
      const { length } = reads.frames
      await reads.until(() => reads.frames.length > length)
    }
    const connection = await witness.open(witness.opened.length - 1)
    connection.event('still there')
    await reads.until(() => reads.text(1).includes('still there'))
    reads.client.leave()
    await until(() => witness.closed.length === witness.opened.length)

    const ignores = (await connectHttp2(t, port, WIDE_OPEN)).get(1, '/')
    await ignores.until(() => ignores.text(1).includes('hello'))
    ignores.client.pause()
    const many = Buffer.concat(Array<Buffer>(10_000).fill(flood))
    for (let i = 0; i < 100 && witness.closed.length < witness.opened.length && !ignores.client.isEnded; i++) {
      ignores.send(many)
      await new Promise(setImmediate)
    }
    await until(() => witness.closed.length === witness.opened.length, 'the stream has ended')
    ignores.client.leave()
    await untilSockets(app, 1)
  }
  t.ok(witness.reasons.every((reason) => reason === 'client' || reason === 'timeout'))
  await leavesNothing(...witness.reasons)
})

await t.test('headers without end: no stream opens, and the session ends with what was open on it', async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup, GIVING_UP)
  const session = (await connectHttp2(t, port, WIDE_OPEN)).get(1, '/')
  await session.until(() => session.text(1) === 'data: hello\n\n')
  session.send(frame(FRAMES.headers, FLAGS.endStream, 3, getBlock('/')))
  const piece = frame(FRAMES.continuation, 0, 3, Buffer.from(`\0\x01x\x7e${'x'.repeat(126)}`.repeat(100), 'latin1'))
  for (let i = 0; i < 100 && !session.client.isEnded && session.goAways.length === 0; i++) {
    session.send(piece)
    await new Promise(setImmediate)
  }
  await until(() => session.goAways.length !== 0 || session.client.isEnded, 'Node has had enough')
  session.client.leave()
  await untilSockets(app, 1)
  t.equal(witness.opened.length, 1)
  const [ending] = witness.closed
  t.ok(ending?.reason === 'client' || ending?.reason === 'timeout')
  await leavesNothing(...witness.reasons)
})

await t.test('1,000 streams of one session: each gets every event of its topic in order, and all end one by one or at once', async (t) => {
  const STREAMS = 1_000
  const EVENTS = 20
  const { app, origin, witness, leavesNothing } = await edge(t, (app) => {
    app.stream('/', { topics: 'news' }, () => {})
  }, { http2: true, places: STREAMS })
  const session = http2.connect(origin, { peerMaxConcurrentStreams: STREAMS })
  t.teardown(() => { session.destroy() })
  session.setMaxListeners(0)
  await new Promise((resolve) => { session.once('remoteSettings', resolve) })
  session.setLocalWindowSize(2 ** 24)
  const texts = Array<string>(STREAMS).fill('')
  const streams = texts.map((_, nth) => session.request({ ':path': '/' }).on('error', () => {}).on('data', (bytes: Buffer) => { texts[nth] += bytes.toString() }))
  await until(() => witness.opened.length === STREAMS, 'all are open')
  for (let n = 0; n < EVENTS; n++) {
    app.topics.publish('news', n)
    if (n % 4 === 3) await new Promise(setImmediate)
  }
  const expected = Array.from({ length: EVENTS }, (_, n) => String(n)).join()
  const complete = () => texts.every((text) => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data).join() === expected)
  await until(() => texts.every((text) => text.includes(`data: ${EVENTS - 1}\n`)), 'the last event has come')
  t.ok(complete())
  for (const connection of witness.opened.slice(0, 300)) connection.close()
  for (const stream of streams.slice(300, 600)) stream.close(CANCEL)
  await until(() => witness.closed.length === 600)
  session.destroy()
  await leavesNothing(...Array(300).fill('server'), ...Array(700).fill('client'))
})
