/** When the response is committed: not before the end of the tick of the first send, else when the handler settles. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { CloseReason } from '../../index.ts'
import { build, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const soon = async () => { await new Promise(setImmediate) }

t.test('status and headers may be set in any order before the take-over', async (t) => {
  const { port } = await start(t, (app) => {
    app.stream('/', async (_request, reply) => {
      reply.code(500).header('x-one', '1')
      await soon()
      reply.event('a')
      reply.code(201).header('x-two', '2').header('cache-control', 'no-store').removeHeader('x-one')
    })
  })
  const client = (await connect(t, port)).get('/')
  await client.until('data: a\n\n')
  const { status, headers } = client.response
  t.equal(status, 201)
  t.match(headers, { 'x-two': '2', 'cache-control': 'no-store' }, 'what the app says of the cache holds')
  t.notOk('x-one' in headers)
})

t.test('a stream route that sends nothing opens when its handler settles', async (t) => {
  let settle = () => {}
  const work = new Promise<void>((resolve) => { settle = resolve })
  const { app, port, lines } = await start(t, (app) => {
    app.stream('/sync', (_request, reply) => { reply.header('x-sync', '1') })
    app.stream('/async', async (request, reply) => {
      request.log.info('at work')
      await work
      reply.header('x-async', '1')
    })
  })
  t.match((await (await connect(t, port)).get('/sync').head()).headers, { 'x-sync': '1' })
  const client = (await connect(t, port)).get('/async')
  await until(() => lines('at work').length === 1)
  await soon()
  t.equal(app.connections.size, 1, 'only the first is open')
  t.equal(client.text, '')
  settle()
  t.match((await client.head()).headers, { 'x-async': '1' })
})

t.test('a send in a handler that goes on starts the stream at the end of the tick', async (t) => {
  let settle = () => {}
  const work = new Promise<void>((resolve) => { settle = resolve })
  const { port } = await start(t, (app) => {
    app.stream('/', async (_request, reply) => {
      reply.event('first')
      await work
      reply.event('second')
    })
  })
  const client = (await connect(t, port)).get('/')
  await client.until('data: first\n\n')
  settle()
  await client.until('data: second\n\n')
})

t.test('the stream may begin long after the handler has returned', async (t) => {
  const { port, noise } = await start(t, (app) => {
    app.get('/plain', (_request, reply) => { setTimeout(() => { reply.event('late') }, 20) })
    app.get('/chunked', (_request, reply) => { setTimeout(() => { reply.sendChunked(202).chunk('late') }, 20) })
    app.stream('/stream', (_request, reply) => {
      setTimeout(() => { reply.event('late') }, 20)
      return reply
    })
  })
  for (const [path, status] of [['/plain', 200], ['/chunked', 202], ['/stream', 200]] as const) {
    const client = (await connect(t, port)).get(path)
    await client.until('late')
    t.equal(client.response.status, status)
  }
  t.same(noise(), [])
})

t.test('a handler that returns the reply has a stream', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.stream('/sync', (_request, reply) => reply.sendChunked(201))
    app.stream('/async', async (_request, reply) => {
      reply.event('a')
      return reply
    })
    app.get('/plain-sync', (_request, reply) => {
      reply.event('a')
      return reply
    })
    app.get('/plain-async', async (_request, reply) => {
      reply.event('a')
      return await reply
    })
    app.stream('/silent-sync', (_request, reply) => reply)
  })
  for (const path of ['/sync', '/async', '/plain-sync', '/plain-async', '/silent-sync']) {
    const opened = new Promise<void>((resolve) => { app.connections.once('open', () => { resolve() }) })
    const client = (await connect(t, port)).get(path)
    await client.until(({ body }) => body.length > 0)
    await opened
    const connection = [...app.connections].at(-1)
    t.equal(connection?.event('later'), true, path)
    await client.until('data: later')
    connection?.close()
    await client.answer()
  }
  t.same(noise(), [])
  t.equal(app.connections.counts.server, 5)
})

t.test('an async handler of a stream route that returns the reply and has sent nothing has a stream', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', async (_request, reply) => reply) })
  const client = (await connect(t, port)).get('/')
  await client.until(':\n\n')
  for (const connection of app.connections) connection.event('later')
  await client.until('data: later\n\n')
})

t.test('another answer in the tick of the first send wins, and the stream is none', async (t) => {
  const { app, lines, noise } = await build(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.event('never')
      reply.code(403).send({ error: 'no' })
      t.equal(reply.event('never'), false)
    })
  })
  app.connections.on('open', () => { t.fail('no stream opened') })
  const response = await app.inject('/')
  t.equal(response.statusCode, 403)
  t.same(response.json(), { error: 'no' })
  t.match(response.headers, { 'content-type': 'application/json; charset=utf-8' })
  t.same(lines('stream closed'), [])
  t.same(noise(), [])
})

t.test('an empty chunk starts nothing', async (t) => {
  const { app } = await build(t, (app) => {
    app.get('/', (_request, reply) => {
      t.equal(reply.chunk(''), true)
      t.equal(reply.chunk(Buffer.alloc(0)), true)
      setImmediate(() => { reply.code(403).send('still open to another answer') })
    })
  })
  const response = await app.inject('/')
  t.same([response.statusCode, response.body], [403, 'still open to another answer'])
})

const replacing = (app: FastifyInstance) => app.addHook('onSend', async () => 'something else')

t.test('an onSend hook that sends something else in place of the stream wins, and the stream is none', async (t) => {
  for (const place of ['behind', 'ahead of']) {
    const reasons: CloseReason[] = []
    const { app, port, lines, noise } = await start(t, (app) => {
      if (place === 'behind') replacing(app)
      app.stream('/', (_request, reply) => {
        void reply.connection.closed.then((reason) => { reasons.push(reason) })
        reply.event('never')
      })
    }, { ...place === 'ahead of' && { before: replacing } })
    const { body } = await (await connect(t, port)).get('/').answer()
    t.equal(body.toString(), 'something else', `${place} Pastelli's own`)
    await until(() => reasons.length === 1, 'the connection is told')
    t.same(reasons, ['server'])
    t.equal(app.connections.size, 0)
    t.same(lines('stream closed'), [])
    t.same(noise(), [])
  }
})

t.test('a stream closed before its take-over still opens and ends properly', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.initChunk('a')
      reply.closeChunk()
    })
    app.get('/empty', (_request, reply) => { reply.closeChunk() })
  })
  t.equal((await (await connect(t, port)).get('/').answer()).body.toString(), 'data: a\n\n')
  const empty = await (await connect(t, port)).get('/empty').answer()
  t.same([empty.status, empty.body.toString()], [200, ''])
  t.equal(app.connections.counts.server, 2)
})
