/** What the verbs refuse: at the caller, with a code, and nothing half-sent. */
import type { FastifyReply } from 'fastify'
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

t.test('the status given to sendChunked is honoured', async (t) => {
  const { port } = await start(t, (app) => {
    app.get<{ Params: { status: string } }>('/:status', (request, reply) => {
      reply.sendChunked(Number(request.params.status)).chunk('body')
      reply.closeChunk()
    })
  })
  for (const status of [200, 201, 206, 299, 404, 503, 599]) {
    const response = await (await connect(t, port)).get(`/${status}`).answer()
    t.equal(response.status, status)
    t.equal(response.body.toString(), 'body')
  }
})

t.test('a status that allows no body, or is none, is refused, and the handler may still answer', async (t) => {
  const wrong = [100, 199, 204, 205, 304, 600, 200.5, NaN, '200', null]
  const { app } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      for (const status of wrong) {
        t.throws(() => { reply.sendChunked(status as number) }, {
          code: 'PST_ERR_STATUS', message: `The status of a stream must be an integer from 200 to 599 that allows a body, got ${status}`
        })
      }
      reply.code(418).send({ brew: 'tea' })
    })
  })
  const response = await app.inject('/')
  t.equal(response.statusCode, 418)
  t.same(response.json(), { brew: 'tea' })
})

t.test('sendChunked and initChunk after the head are refused, and the stream goes on', async (t) => {
  const { port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.initChunk('first')
      setImmediate(() => {
        t.throws(() => { reply.sendChunked(201) }, { code: 'PST_ERR_HEAD_SENT', message: /^sendChunked came after the head/ })
        t.throws(() => { reply.initChunk('late') }, { code: 'PST_ERR_HEAD_SENT', message: /^initChunk came after the head/ })
        reply.event('second')
        reply.closeChunk()
      })
    })
  })
  const { status, body } = await (await connect(t, port)).get('/').answer()
  t.equal(status, 200)
  t.equal(body.toString(), 'data: first\n\ndata: second\n\n')
})

t.test('an event, a comment or an initial chunk under another content type is refused', async (t) => {
  const refusal = { code: 'PST_ERR_CONTENT_TYPE' }
  const refuses = (reply: FastifyReply) => {
    t.throws(() => { reply.event('a') }, refusal)
    t.throws(() => { reply.connection.comment('a') }, refusal)
  }
  const { port } = await start(t, (app) => {
    app.get('/before', (_request, reply) => {
      reply.type('text/plain')
      refuses(reply)
      t.throws(() => { reply.initChunk('a') }, refusal)
      reply.chunk('text')
      reply.closeChunk()
    })
    app.get('/after', (_request, reply) => {
      reply.chunk('text')
      setImmediate(() => {
        refuses(reply)
        reply.closeChunk()
      })
    })
  })
  for (const path of ['/before', '/after']) {
    t.equal((await (await connect(t, port)).get(path).answer()).body.toString(), 'text', path)
  }
})

t.test('an event that the format can\'t carry is refused, before the head and after it, and nothing of it is sent', async (t) => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const refuse = (reply: FastifyReply) => {
    const data = { code: 'PST_ERR_DATA' }
    for (const value of [undefined, () => {}, Symbol('s'), 1n, cycle, { big: 1n }, '\ud83c']) t.throws(() => { reply.event(value) }, data)
    t.throws(() => { reply.connection.comment(1 as unknown as string) }, data)
    const field = { code: 'PST_ERR_FIELD' }
    for (const value of ['a\nb', 'a\rb', 'a\0b', '\ud83c']) {
      t.throws(() => { reply.event('x', { event: value }) }, field)
      t.throws(() => { reply.event('x', { id: value }) }, field)
    }
    for (const retry of [-1, 0.5, NaN, Infinity, '1' as unknown as number]) t.throws(() => { reply.event('x', { id: 1, retry }) }, field)
    for (const bytes of [undefined, null, 1, {}, [1]]) t.throws(() => { reply.chunk(bytes as unknown as string) }, { code: 'PST_ERR_CHUNK' })
  }
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      refuse(reply)
      t.throws(() => { reply.initChunk(undefined) }, { code: 'PST_ERR_DATA' })
      reply.event('first')
      setImmediate(() => {
        refuse(reply)
        reply.event('second')
        t.equal(reply.connection.events, 2)
        reply.closeChunk()
      })
    })
  })
  t.equal((await (await connect(t, port)).get('/').answer()).body.toString(), 'data: first\n\ndata: second\n\n')
  t.equal(app.connections.counts.server, 1)
})

t.test('what is wrong is refused also when the connection has ended', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', (_request, reply) => { reply.closeChunk() }) })
  app.connections.on('close', (connection) => {
    t.throws(() => { connection.event(undefined) }, { code: 'PST_ERR_DATA' })
    t.throws(() => { connection.chunk(1 as unknown as string) }, { code: 'PST_ERR_CHUNK' })
  })
  await (await connect(t, port)).get('/').answer()
  await until(() => app.connections.counts.server === 1, 'it is reported')
})

t.test('the verbs in a route that has answered by other means send nothing', async (t) => {
  let reply!: FastifyReply
  const { app, port, noise } = await start(t, (app) => {
    app.get('/', (_request, _reply) => {
      reply = _reply
      reply.send('answer')
    })
  })
  const client = (await connect(t, port)).get('/')
  t.equal((await client.answer()).body.toString(), 'answer')
  await until(() => reply.raw.closed, 'the response is gone')
  t.throws(() => { reply.sendChunked() }, { code: 'PST_ERR_ANSWERED', message: 'sendChunked came after the response was answered by other means' })
  t.equal(reply.event('late'), false)
  t.equal(reply.chunk('late'), false)
  t.equal(await reply.connection.closed, 'server')
  reply.closeChunk()
  t.equal(client.response.rest.length, 0)
  t.same([app.connections.size, app.connections.counts.server], [0, 0])
  t.same(noise(), [])
})
