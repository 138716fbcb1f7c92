/** Hooks that refuse, and other answers of the app's own: plain HTTP, as on any route. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'

type Hook = 'onRequest' | 'preParsing' | 'preValidation' | 'preHandler'

const denied = (reply: FastifyReply) => reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who are you?' })

const REFUSALS: Record<string, (app: FastifyInstance, hook: Hook) => unknown> = {
  'async, returning the reply': (app, hook) => app.addHook(hook as 'onRequest', async (_request, reply) => {
    await new Promise(setImmediate)
    return denied(reply)
  }),
  'async, throwing': (app, hook) => app.addHook(hook as 'onRequest', async () => {
    throw Object.assign(new Error('who are you?'), { statusCode: 401 })
  }),
  'with a callback, sending': (app, hook) => app.addHook(hook as 'onRequest', (...args: unknown[]) => { denied(args[1] as FastifyReply) }),
  'with a callback, failing': (app, hook) => app.addHook(hook as 'onRequest', (...args: unknown[]) => {
    setImmediate(args.at(-1) as (error: Error) => void, Object.assign(new Error('who are you?'), { statusCode: 401 }))
  })
}

for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
  t.test(`${hook} refuses a stream with plain HTTP, and its handler does not run`, async (t) => {
    for (const [title, refuse] of Object.entries(REFUSALS)) {
      const { app, port, lines } = await start(t, (app) => {
        refuse(app, hook)
        const handler = () => { t.fail('the handler ran') }
        app.stream('/stream', { method: ['GET', 'POST'] }, handler).get('/plain', handler)
      })
      app.connections.on('open', () => { t.fail('a stream opened') })
      for (const [method, path, body] of [['GET', '/stream', ''], ['POST', '/stream', '{}'], ['GET', '/plain', '']] as const) {
        const client = (await connect(t, port)).request(method, path, body === '' ? {} : { 'Content-Type': 'application/json' }, body)
        const { status, headers, body: answer } = await client.answer()
        t.equal(status, 401, `${title}: ${method} ${path}`)
        t.equal(headers['content-type'], 'application/json; charset=utf-8')
        t.match(answer.toString(), 'who are you?')
      }
      t.same(lines('stream closed'), [])
    }
  })
}

t.test('a hook that lets some through: those have a stream', async (t) => {
  const { port } = await start(t, (app) => {
    app.addHook('preHandler', async (request, reply) => {
      if (request.headers.authorization !== 'Bearer secret') return await denied(reply)
    })
    app.stream('/', (_request, reply) => { reply.event('welcome') })
  })
  t.equal((await (await connect(t, port)).get('/').answer()).status, 401)
  await (await connect(t, port)).get('/', { Authorization: 'Bearer secret' }).until('data: welcome\n\n')
})

t.test('a hook may ask for the connection, and still refuse', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.addHook('preHandler', async (_request, reply) => {
      reply.connection.name = 'nobody'
      return denied(reply)
    })
    app.stream('/', () => { t.fail('the handler ran') })
  }, { pastelli: { maxConnections: 1 } })
  for (let i = 0; i < 3; i++) {
    const { status } = await (await connect(t, port)).get('/').answer()
    t.equal(status, 401, 'and its place is free again')
  }
  t.same(app.connections.named('nobody'), [])
  t.same(noise(), [])
})

t.test('an unknown path is answered by setNotFoundHandler', async (t) => {
  const { port } = await start(t, (app) => {
    app.setNotFoundHandler((request, reply) => { reply.code(404).send({ nothing: request.url }) })
    app.stream('/', () => {})
  })
  const { status, body } = await (await connect(t, port)).get('/nowhere').answer()
  t.equal(status, 404)
  t.same(JSON.parse(body.toString()), { nothing: '/nowhere' })
})

t.test('setNotFoundHandler may stream as well', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.setNotFoundHandler((_request, reply) => { reply.sendChunked(404).event('nothing here') })
  })
  const client = (await connect(t, port)).get('/nowhere')
  await client.until('data: nothing here\n\n')
  t.equal(client.response.status, 404)
  const [connection] = app.connections
  client.leave()
  t.equal(await connection?.closed, 'client')
})
