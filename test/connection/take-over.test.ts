/** What the take-over rests on in Fastify and Node that nobody documents, pinned on every supported version. */
import { connect as connect2 } from 'node:http2'
import t from 'tap'
import type { FastifyReply } from 'fastify'
import { connect } from '../support/socket.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'

function listeners (reply: FastifyReply): Record<string, number> {
  return Object.fromEntries(reply.raw.eventNames().map((name) => [String(name), reply.raw.listenerCount(name)]))
}

for (const http2 of [false, true]) {
  await t.test(`over HTTP/${http2 ? 2 : 1} Fastify's own listeners are let go, and nobody else's`, async (t) => {
    const { app, origin, port } = await start(t, (app) => {
      app.addHook('onRequest', async (_request, reply) => { reply.raw.on('close', () => {}) })
      app.addHook('onSend', async (_request, reply) => { reply.raw.on('finish', () => {}) })
      app.stream('/', (_request, reply) => {
        replies.push(reply)
        before = listeners(reply)
      })
    }, { http2 })
    const replies: FastifyReply[] = []
    let before: Record<string, number> = {}
    if (http2) {
      const session = connect2(origin)
      t.teardown(() => { session.destroy() })
      session.request({ ':path': '/' }).resume()
    } else {
      (await connect(t, port)).get('/')
    }
    await until(() => app.connections.size === 1)
    const [reply] = replies
    if (reply === undefined) throw new Error('the handler did not run')
    t.same(listeners(reply), { ...before, finish: (before['finish'] ?? 0) + 1 })
    t.ok(before['close'] !== undefined && before['close'] >= 2, 'the app\'s and ours')
  })
}

await t.test('the reply is hijacked with its head out, so that it can\'t be answered again', async (t) => {
  let reply: FastifyReply | undefined
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, itsReply) => { reply = itsReply })
  })
  app.connections.once('open', () => {
    t.equal(reply?.sent, true)
    t.equal(reply?.raw.headersSent, true)
  })
  const client = (await connect(t, port)).get('/')
  await client.until(':\n\n')
  t.equal(app.connections.size, 1)
})

await t.test('head and first bytes leave in one write', async (t) => {
  const { port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.event('hello') })
  })
  const client = await connect(t, port)
  const reads: string[] = []
  client.socket.on('data', (bytes) => { reads.push(bytes.toString()) })
  client.get('/')
  await client.until('hello')
  t.equal(reads.length, 1)
})

await t.test('a short stream is head, events and terminator in one write', async (t) => {
  const { port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.event('hello')
      reply.closeChunk()
    })
  })
  const client = await connect(t, port)
  const reads: string[] = []
  client.socket.on('data', (bytes) => { reads.push(bytes.toString()) })
  client.get('/')
  await client.until((response) => response.complete)
  t.equal(reads.length, 1)
})
