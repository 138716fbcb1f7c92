/** `app.close()` with open WebSockets: 1001 for all, within the deadline, whoever registered @fastify/websocket. */
import websocket from '@fastify/websocket'
import t, { type Test } from 'tap'
import type { PastelliOptions, WebSocketHandler } from '../../index.ts'
import { frame, OPCODES, upgrade } from '../support/raw-web-socket.ts'
import { type Server, type ServerOptions, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { dial, type SocketClient } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

async function serve (t: Test, pastelli: PastelliOptions, options: ServerOptions = {}, handler: WebSocketHandler = { init: () => {} }): Promise<Server & { witness: Witness }> {
  const server = await start(t, (app) => {
    app.stream('/', { websocket: handler })
    if (app.hasDecorator('websocketServer')) app.get('/plain', { websocket: true }, () => {})
  }, { ...options, pastelli })
  return { ...server, witness: new Witness(server.app) }
}

async function crowd (t: Test, server: Server, count: number): Promise<SocketClient[]> {
  const sockets: SocketClient[] = []
  while (sockets.length < count) sockets.push(...await Promise.all(Array.from({ length: Math.min(50, count - sockets.length) }, () => dial(t, server, '/'))))
  return sockets
}

await t.test('everybody is told when to come back, and closed with 1001, spread over time', async (t) => {
  const server = await serve(t, { retry: 2_000 })
  const sockets = await crowd(t, server, 250)
  const ends: Array<{ at: number, code: number }> = []
  for (const { closed } of sockets) void closed.then(({ code }) => { ends.push({ at: performance.now(), code }) })
  for (const socket of sockets) t.same(await socket.next(), { retry: 2_000 })
  await server.app.close()
  await until(() => ends.length === sockets.length)
  t.ok(ends.every(({ code }) => code === 1001))
  t.ok((ends.at(-1)?.at ?? 0) - (ends[0]?.at ?? 0) >= 25, 'in batches')
  const delays = sockets.map(({ waiting }) => (JSON.parse(String(waiting[0])) as { retry: number }).retry)
  t.ok(Math.min(...delays) >= 1_000 && Math.max(...delays) <= 3_000 && new Set(delays).size > 100, 'not all at once')
  await server.witness.sees(t, 'shutdown')
})

await t.test('over TLS, where what has brought no request is cut at once, what was upgraded is closed, and what offered another upgrade ends', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { websocket: { init: () => {} } }, () => {}) }, { tls: true })
  const witness = new Witness(server.app)
  const socket = await dial(t, server, '/')
  const stream = (await connect(t, server.port, { tls: true })).get('/', { Connection: 'Upgrade', Upgrade: 'h2c' })
  await stream.until(':\n\n')
  await server.app.close()
  t.equal((await socket.closed).code, 1001)
  await stream.closed()
  t.ok(stream.response.complete)
  await witness.sees(t, 'shutdown')
  t.equal(witness.closed.length, 2)
})

await t.test('clients that do not answer, do not read or are half way in do not hold it up', async (t) => {
  const server = await serve(t, { drain: 300 })
  const deaf = await upgrade(t, server.port)
  const stalled = await upgrade(t, server.port)
  stalled.client.pause()
  const connection = await server.witness.open(1)
  while (connection.queued === 0) {
    void connection.chunk('x'.repeat(50_000))
    await new Promise(setImmediate)
  }
  const began = performance.now()
  await server.app.close()
  t.ok(performance.now() - began < 2_000)
  t.equal(deaf.code, 1001)
  await server.witness.sees(t, 'shutdown')
})

await t.test('a terminate is told of the shutdown', async (t) => {
  const reasons: string[] = []
  const server = await serve(t, {}, {}, { terminate: (reason) => { reasons.push(reason) } })
  await dial(t, server, '/')
  await server.app.close()
  await until(() => reasons.length === 1)
  t.same(reasons, ['shutdown'])
})

await t.test('WebSockets of the app\'s own routes are closed with 1001 as well, and cut at the deadline', async (t) => {
  const server = await serve(t, { drain: 300 })
  const socket = await dial(t, server, '/plain')
  const deaf = await upgrade(t, server.port, '/plain')
  const began = performance.now()
  await server.app.close()
  t.ok(performance.now() - began < 2_000)
  t.equal((await socket.closed).code, 1001)
  t.equal(deaf.code, 1001)
})

await t.test('a @fastify/websocket of the app\'s own that leaves it to Pastelli closes like ours', async (t) => {
  const server = await serve(t, {}, { before: (app) => app.register(websocket, { preClose: (done) => { done() } }) })
  const sockets = await crowd(t, server, 120)
  await server.app.close()
  for (const { closed } of sockets) t.equal((await closed).code, 1001)
  await server.witness.sees(t, 'shutdown')
})

await t.test('one that closes everything at once by itself does so without a code, and the reason is still the shutdown', async (t) => {
  const server = await serve(t, {}, { before: (app) => app.register(websocket) })
  const sockets = await crowd(t, server, 220)
  await server.app.close()
  for (const { closed } of sockets) t.equal((await closed).code, 1005)
  await server.witness.sees(t, 'shutdown')
})

await t.test('one that keeps no list of its clients does not hold the shutdown up', async (t) => {
  const server = await serve(t, {}, { before: (app) => app.register(websocket, { options: { clientTracking: false } }) })
  const socket = await dial(t, server, '/')
  await server.app.close()
  t.equal((await socket.closed).code, 1001)
  await server.witness.sees(t, 'shutdown')
})

await t.test('a client that asks for a WebSocket during the shutdown gets none', async (t) => {
  const server = await serve(t, { drain: 500 })
  const deaf = await upgrade(t, server.port)
  const socket = await upgrade(t, server.port, '/nowhere', { Connection: 'keep-alive', Upgrade: '' })
  const closing = server.app.close()
  await deaf.until(() => deaf.code === 1001)
  deaf.send(frame(OPCODES.close, Buffer.from([3, 233])))
  deaf.client.halfClose()
  await closing
  await socket.client.ended()
  await t.rejects(upgrade(t, server.port), { code: 'ECONNREFUSED' })
  await server.witness.sees(t, 'shutdown')
})
