/** Fastify's hooks and timeouts around a stream: each has its say, none ends a live stream but by its own rule. */
import { PassThrough, type Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

t.test('the hooks run once each and in order, onResponse when the stream has ended', async (t) => {
  const ran: string[] = []
  const { app, port, noise } = await start(t, (app) => {
    for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onError'] as const) {
      app.addHook(hook as 'onRequest', async () => { ran.push(hook) })
    }
    app.addHook('onResponse', async (_request, reply) => { ran.push(`onResponse ${reply.statusCode}`) })
    app.stream('/stream', () => { ran.push('handler') })
    app.get('/async', async (_request, reply) => {
      ran.push('handler')
      reply.event('a')
    })
  })
  for (const path of ['/stream', '/async']) {
    ran.length = 0
    const client = (await connect(t, port)).get(path)
    await until(() => app.connections.size === 1)
    t.same(ran, ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'handler', 'onSend'], path)
    for (const connection of app.connections) connection.close()
    await client.answer()
    await until(() => ran.some((name) => name.startsWith('onResponse')), 'onResponse runs')
    await client.get('/nowhere').until('404')
    t.same(ran.filter((name) => name.startsWith('onResponse')), ['onResponse 200', 'onResponse 404'], 'once')
  }
  t.same(noise(), [])
})

t.test('onRequestAbort runs when the client leaves a stream', async (t) => {
  const ran: string[] = []
  const { app, port } = await start(t, (app) => {
    app.addHook('onRequestAbort', async (request) => { ran.push(request.url) })
    app.stream('/', () => {})
  })
  const client = (await connect(t, port)).get('/')
  await until(() => app.connections.size === 1)
  const [connection] = app.connections
  client.leave()
  t.equal(await connection?.closed, 'client')
  await until(() => ran.length > 0)
  t.same(ran, ['/'])
})

// The oldest Fastify that we serve has no such option, nor a type for it.
function handlerTimeout (ms: number): object {
  return { handlerTimeout: ms }
}

if ('handlerTimeout' in fastify().initialConfig) {
  t.test('handlerTimeout before the take-over is Fastify\'s 503, and ends the connection that waits', async (t) => {
    const reasons: string[] = []
    const { app, port } = await start(t, (app) => {
      app.stream('/stream', async (_request, { connection }) => { reasons.push(await connection.closed) })
      app.get('/plain', async (_request, { connection }) => { reasons.push(await connection.closed) })
    }, { ...handlerTimeout(50), pastelli: { maxConnections: 1 } })
    for (const path of ['/stream', '/plain']) {
      const { status, body } = await (await connect(t, port)).get(path).answer()
      t.equal(status, 503, path)
      t.match(JSON.parse(body.toString()), { code: 'FST_ERR_HANDLER_TIMEOUT' })
    }
    await until(() => reasons.length === 2, 'both handlers are told')
    t.same([app.connections.size, app.connections.counts], [0, { client: 0, server: 0, shutdown: 0, overflow: 0, expired: 0, timeout: 0, error: 0 }])
  })
}

t.test('handlerTimeout does not end a live stream, whether its handler has returned or not', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.stream('/returned', (_request, reply) => { reply.event('a') })
    app.stream('/waits', async (_request, reply) => {
      reply.event('a')
      await reply.connection.closed
    })
    app.get('/plain', async (_request, reply) => {
      reply.event('a')
      await reply.connection.closed
    })
    app.stream('/own', handlerTimeout(20), (_request, reply) => { reply.event('a') })
  }, handlerTimeout(50))
  const clients = await Promise.all(['/returned', '/waits', '/plain', '/own'].map(async (path) => (await connect(t, port)).get(path)))
  for (const client of clients) await client.until('data: a\n\n')
  await delay(120)   // more than twice the timeout
  for (const connection of app.connections) {
    connection.event('b')
    connection.close()
  }
  for (const client of clients) t.equal((await client.answer()).body.toString(), 'data: a\n\ndata: b\n\n')
  t.equal(app.connections.counts.server, 4)
  t.same(noise(), [])
})

t.test('connectionTimeout cuts a stream that is silent for so long, and heartbeats prevent it', async (t) => {
  const { app, port, lines } = await start(t, (app) => {
    app.stream('/silent', { heartbeat: 0 }, () => {})
    app.stream('/beating', { heartbeat: 30 }, () => {})
  }, { connectionTimeout: 150 })
  const beating = (await connect(t, port)).get('/beating')
  await beating.head()
  const silent = (await connect(t, port)).get('/silent')
  await silent.ended()
  t.notOk(silent.response.complete)
  await beating.until(({ chunks }) => chunks.length > 8)
  t.same(lines('stream closed').map(({ reason }) => reason), ['client'])
  t.equal(app.connections.size, 1)
})

t.test('onTimeout runs while nothing is sent, and leaves no stream behind', async (t) => {
  const ran: string[] = []
  const reasons: string[] = []
  const { app, port } = await start(t, (app) => {
    app.addHook('onTimeout', async (request) => { ran.push(request.url) })
    app.stream('/', async (_request, { connection }) => { reasons.push(await connection.closed) })
  }, { connectionTimeout: 50 })
  await (await connect(t, port)).get('/').closed()
  await until(() => reasons.length === 1, 'the handler is told')
  t.same([ran, reasons], [['/'], ['client']])
  t.equal(app.connections.size, 0)
})

t.test('requestTimeout, headersTimeout and keepAliveTimeout do not bound a stream', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) }, { requestTimeout: 30, keepAliveTimeout: 30, http: { headersTimeout: 30, connectionsCheckingInterval: 10 } } as object)
  const client = (await connect(t, port)).get('/')
  await client.head()
  await delay(100)
  for (const connection of app.connections) connection.event('alive')
  await client.until('data: alive\n\n')
})

t.test('trailers follow the stream', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.stream('/stream', (_request, reply) => {
      let events = 0
      reply.trailer('x-events', async () => String(events))
      reply.event(++events)
      setImmediate(() => {
        reply.event(++events)
        reply.closeChunk()
      })
    })
    app.get('/plain', (_request, reply) => {
      reply.trailer('x-done', (_reply, _payload, done) => { done(null, 'yes') })
      reply.chunk('text')
      reply.closeChunk()
    })
  })
  const stream = await (await connect(t, port)).get('/stream').answer()
  t.match(stream.headers, { trailer: 'x-events', 'transfer-encoding': 'chunked' })
  t.equal(stream.body.toString(), 'data: 1\n\ndata: 2\n\n')
  t.same(stream.trailers, { 'x-events': '2' })
  const plain = await (await connect(t, port)).get('/plain').answer()
  t.same([plain.body.toString(), plain.trailers], ['text', { 'x-done': 'yes' }])
  await until(() => app.connections.counts.server === 2)
  t.same(noise(), [])
})

t.test('a client that leaves a stream with trailers is noticed', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.trailer('x-events', async () => '1') })
  })
  const client = (await connect(t, port)).get('/')
  await until(() => app.connections.size === 1)
  const [connection] = app.connections
  client.leave()
  t.equal(await connection?.closed, 'client')
  t.same(noise(), [])
})

t.test('a hook may put a plain stream of its own before the response, and it ends with ours', async (t) => {
  const { origin, app } = await start(t, (app) => {
    app.addHook('onSend', async (_request, _reply, payload) => (payload as Readable).pipe(new PassThrough()))
    app.stream('/', async function * () { yield * ['a', 'b'] })
  })
  const response = await fetch(origin)
  t.equal(await response.text(), 'data: a\n\ndata: b\n\n')
  await until(() => app.connections.counts.server === 1, 'it is reported')
})
