/** The log: one line for each stream, at its end, and no complaint about a client that leaves. */
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

t.test('a stream that the server ends is one line with connection, reason, duration, bytes and events', async (t) => {
  const { app, port, log, lines, logged } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.initChunk('one')
      reply.event('zwölf')
      reply.chunk(': raw\n\n')
    })
    app.connections.on('open', (connection) => { setTimeout(() => { connection.close() }, 20) })
  })
  const { body } = await (await connect(t, port)).get('/').answer()
  const line = await logged('stream closed')
  t.match(line, { level: 30, reason: 'server', bytes: body.length, events: 2, connection: /^[\x21-\x7e]{16,}$/, reqId: /./ })
  t.ok(Number.isInteger(line.duration) && line.duration as number >= 15 && line.duration as number < 10_000, `${line.duration} ms`)
  await until(() => lines('request completed').length === 1, 'Fastify has its own line')
  t.same(log.filter(({ level, reqId }) => level >= 30 && reqId !== undefined).map(({ msg }) => msg).sort(),
    ['incoming request', 'request completed', 'stream closed'])
  t.equal(app.connections.size, 0)
})

t.test('a client that leaves is one line at info, however it leaves', async (t) => {
  const { app, port, lines, noise } = await start(t, (app) => {
    app.stream('/stream', (_request, reply) => { reply.event('a') })
    app.get('/async', async (_request, reply) => {
      reply.event('a')
      await reply.connection.closed
    })
    app.post('/post', (_request, reply) => { reply.type('text/plain').chunk('data: a\n\n') })
  })
  let closed = 0
  for (const [method, path] of [['GET', '/stream'], ['GET', '/async'], ['POST', '/post']] as const) {
    for (const leave of ['leave', 'reset', 'halfClose'] as const) {
      const client = await connect(t, port)
      await client.request(method, path, { 'Content-Type': 'application/json' }, method === 'POST' ? '{}' : '').until('data: a\n\n')
      client[leave]()
      await until(() => app.connections.counts.client === closed + 1, `${path} is left by ${leave}`)
      closed++
    }
  }
  t.same(lines('stream closed').map(({ level, reason }) => [level, reason]), Array(closed).fill([30, 'client']))
  t.same(noise(), [], 'nothing above info')
  t.same(lines('stream closed prematurely'), [])
})

t.test('a client that leaves while the stream is busy is no error either', async (t) => {
  const { app, port, lines, noise } = await start(t, (app) => {
    app.stream('/', async (_request, reply) => {
      while (await reply.event('x'.repeat(1000)));
    })
  })
  const client = (await connect(t, port)).get('/')
  await until(() => client.bytes.length > 500_000)
  client.reset()
  await until(() => app.connections.counts.client === 1)
  t.equal(lines('stream closed').length, 1)
  t.same(noise(), [])
})

t.test('the line is of the request\'s own logger, at the level of the route', async (t) => {
  const { port, logged, lines } = await start(t, (app) => {
    app.addHook('onRequest', async (_request, reply) => { reply.log = reply.log.child({ user: 'ada' }) })
    app.stream('/info', (_request, reply) => { reply.closeChunk() })
    app.stream('/quiet', { logLevel: 'warn' }, (_request, reply) => { reply.closeChunk() })
  })
  await (await connect(t, port)).get('/quiet').answer()
  await (await connect(t, port)).get('/info').answer()
  t.match(await logged('stream closed'), { reqId: 'req-2', user: 'ada' })
  t.equal(lines('stream closed').length, 1, 'the quiet route logs none')
})
