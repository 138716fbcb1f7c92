/** Requests that are sent before the stream ahead of them has ended: each is answered in its turn, or ends with its client. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { edge } from '../support/edge.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const MANY = 30
const UPGRADE = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }

const setup = (app: FastifyInstance) => {
  app.stream('/live', { method: ['GET', 'POST'] }, (request, reply) => { reply.event(request.body ?? 'hello') })
  app.stream('/socket', { websocket: { init: () => {} } }, (_request, reply) => { reply.event('hello') })
  app.get('/plain', async () => 'plain')
}

for (const tls of [false, true]) {
  await t.test(`a plain request behind a stream is answered when that has ended, ${tls ? 'over TLS' : 'over TCP'}`, async (t) => {
    const { port, witness, leavesNothing } = await edge(t, setup, { tls })
    const client = (await connect(t, port, { tls })).get('/live').get('/plain').get('/plain')
    await client.until('data: hello\n\n')
    const connection = await witness.open()
    connection.event('more')
    await client.until('data: more\n\n')
    connection.close()
    await until(() => client.response.rest.toString().split('\r\n\r\nplain').length === 3, 'both are answered')
    t.equal(client.response.body.toString(), 'data: hello\n\ndata: more\n\n')
    client.leave()
    await leavesNothing('server')
  })

  await t.test(`the client leaves while others wait behind its stream, ${tls ? 'over TLS' : 'over TCP'}`, async (t) => {
    const ways = ['halfClose', 'leave', 'vanish', 'reset'] as const
    const { port, witness, leavesNothing } = await edge(t, setup, { tls })
    for (const [nth, way] of ways.entries()) {
      const client = (await connect(t, port, { tls })).get('/live').get('/plain').get('/live').get('/plain')
      await client.until('data: hello\n\n')
      await witness.open(2 * nth + 1)
      client[way]()
      await until(() => witness.closed.length === 2 * nth + 2)
      t.notMatch(client.text, 'plain')
    }
    await leavesNothing(...Array(2 * ways.length).fill('client'))
  })
}

await t.test('a stream that waits behind a plain answer is told when its client leaves', async (t) => {
  let answer = () => {}
  const { port, witness, leavesNothing } = await edge(t, (app) => {
    setup(app)
    app.get('/slow', async () => { await new Promise<void>((resolve) => { answer = resolve }) })
  })
  const client = (await connect(t, port)).get('/slow').get('/live')
  await witness.open()
  client.leave()
  await until(() => witness.closed.length === 1)
  answer()
  await leavesNothing('client')
})

await t.test(`${MANY} streams in a row come one behind the other, and cost their socket no more listeners than two`, async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup, { places: MANY })
  const sockets = new Map<object, number>()
  app.server.on('connection', (socket) => { sockets.set(socket, socket.listenerCount('close')) })
  const client = await connect(t, port)
  for (let i = 0; i < MANY; i++) client.request('POST', '/live', { 'Content-Type': 'text/plain' }, String(i))
  await until(() => witness.opened.length === MANY)
  for (const [socket, before] of sockets as Map<NodeJS.EventEmitter, number>) t.ok(socket.listenerCount('close') <= before + 2, `${before} listeners were there, then ${socket.listenerCount('close')}`)
  for (const [i, connection] of witness.opened.entries()) {
    await client.until(`data: ${i}\n\n`)
    t.notMatch(client.text, `data: ${i + 1}\n\n`)
    connection.close()
  }
  await until(() => client.text.split('0\r\n\r\n').length === MANY + 1)
  client.leave()
  await leavesNothing(...Array(MANY).fill('server'))
})

await t.test('more streams in a row than there are places: the others are refused, in their turn', async (t) => {
  const { port, witness, noise, leavesNothing } = await edge(t, setup, { places: 2, pastelli: { maxConnections: Infinity } })
  const client = (await connect(t, port)).get('/live').get('/live').get('/live').get('/plain')
  await until(() => witness.opened.length === 2)
  for (const connection of witness.opened) connection.close()
  await client.until('\r\n\r\nplain')
  const order = [...client.text.matchAll(/HTTP\/1.1 (\d+) /g)].map(([, status]) => status)
  t.same(order, ['200', '200', '429', '200'])
  client.leave()
  t.same(noise(), [])
  await witness.seesEach(t, ['server', 'server'])
  await leavesNothing('server', 'server')
})

await t.test('what waits behind a stream that the server cuts is cut with it', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  const client = (await connect(t, port)).get('/live').get('/live')
  await until(() => witness.opened.length === 2)
  await client.until('hello')
  witness.opened[0]?.destroy('error')
  await client.ended()
  t.notOk(client.response.complete)
  await leavesNothing('error', 'client')
})

await t.test('one that waits and takes nothing is cut in its turn, with timeout', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup, { pastelli: { writeTimeout: 100 } })
  const client = (await connect(t, port)).get('/live').get('/live')
  await until(() => witness.closed.length === 1, 'the second has had its time')
  t.equal(witness.closed[0]?.connection, witness.opened[1])
  const [first] = witness.opened
  first?.event('undisturbed')
  await client.until('data: undisturbed\n\n')
  first?.close()
  await client.ended()
  t.ok(client.response.complete)
  t.equal(client.response.rest.length, 0)
  await leavesNothing('server', 'timeout')
})

await t.test('an upgrade that is asked for behind a stream, or behind an answer, is a client that leaves', async (t) => {
  let isAsked = false
  const { port, witness, leavesNothing } = await edge(t, (app) => {
    setup(app)
    app.get('/never', async () => {
      isAsked = true
      await new Promise(() => {})
    })
  })
  const targets: Array<[path: string, upgrade: string]> = [['/socket', 'websocket'], ['/live', 'websocket'], ['/plain', 'h2c'], ['/nowhere', 'websocket'], ['/%zz', 'websocket']]
  for (const [path, upgrade] of targets) {
    const client = (await connect(t, port)).get('/live')
    await client.until('data: hello\n\n')
    const before = client.text
    client.get(path, { ...UPGRADE, Upgrade: upgrade })
    await client.ended()
    t.equal(client.text, before, `${upgrade} of ${path}`)
  }
  const client = (await connect(t, port)).get('/never')
  await until(() => isAsked)
  client.get('/socket', UPGRADE)
  await client.ended()
  t.equal(client.text, '')
  t.equal(witness.opened.length, targets.length)
  await leavesNothing(...targets.map(() => 'client' as const))
})
