/** HEAD: the head that a GET would have, no handler run, and nothing left open. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import t from 'tap'
import { build, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

t.test('a stream route answers HEAD without running its handler, with the headers of a GET', async (t) => {
  let runs = 0
  const { app, port, lines } = await start(t, (app) => {
    app.addHook('onRequest', async (_request, reply) => { reply.header('x-hook', 'yes') })
    app.addHook('onSend', async (_request, reply) => { reply.header('set-cookie', ['a=1', 'b=2']) })
    app.stream('/', () => { runs++ })
  })
  const client = await connect(t, port)
  const head = await client.request('HEAD', '/').head()
  const get = await (await connect(t, port)).get('/').head()
  const comparable = ({ headers: { date, 'transfer-encoding': _framing, ...rest } }: typeof head) => rest
  t.equal(head.status, 200)
  t.same(comparable(head), comparable(get))
  t.match(head.headers, { 'content-type': 'text/event-stream; charset=utf-8', 'x-hook': 'yes', 'set-cookie': 'a=1\nb=2' })
  t.notOk('content-length' in head.headers, 'which has no length either')
  t.equal(runs, 1)
  t.equal(app.connections.size, 1, 'only the GET is open')
  await client.request('HEAD', '/').until(({ rest, body }) => (body.toString() + rest.toString()).startsWith('HTTP/1.1 200'))
  await until(() => lines('request completed').length === 2, 'both HEADs are completed')
  t.same(lines('stream closed'), [])
})

t.test('hooks that refuse a GET refuse its HEAD', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', { onRequest: async (_request, reply) => await reply.code(401).send() }, () => {})
  })
  t.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 401)
})

t.test('exposeHeadRoute: false leaves HEAD out', async (t) => {
  const { app } = await build(t, (app) => { app.stream('/', { exposeHeadRoute: false }, () => {}) })
  t.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 404)
})

t.test('exposeHeadRoutes: false of the app leaves it out too', async (t) => {
  const { app } = await build(t, (app) => { app.stream('/', () => {}) }, { exposeHeadRoutes: false })
  t.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 404)
})

t.test('a route of another method has no HEAD', async (t) => {
  const { app } = await build(t, (app) => { app.stream('/', { method: 'POST' }, () => {}) })
  t.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 404)
})

t.test('HEAD among the methods of a stream route does not run the handler', async (t) => {
  const { app } = await build(t, (app) => { app.stream('/', { method: ['GET', 'HEAD'] }, () => { t.fail('the handler ran') }) })
  t.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 200)
})

t.test('a HEAD route of one\'s own is taken, under a prefix too', async (t) => {
  const { app } = await build(t, async (app) => {
    for (const prefix of ['/plain', '/slash/']) {
      await app.register(async (child) => {
        child.head('/news', (_request, reply) => { reply.header('x-own', 'yes').send() })
        child.stream('/news', () => {})
      }, { prefix })
    }
  })
  for (const url of ['/plain/news', '/slash/news']) {
    const { statusCode, headers } = await app.inject({ method: 'HEAD', url })
    t.same([statusCode, headers['x-own']], [200, 'yes'], url)
  }
})

t.test('a HEAD route of one\'s own declared later, with exposeHeadRoute: false', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', { exposeHeadRoute: false }, () => {})
    app.head('/', (_request, reply) => { reply.header('x-own', 'yes').send() })
  })
  t.equal((await app.inject({ method: 'HEAD', url: '/' })).headers['x-own'], 'yes')
})

const STREAMING: Record<string, (reply: FastifyReply) => unknown> = {
  'sends an event': (reply) => { reply.event('a') },
  'sends an event, async': async (reply) => { await reply.event('a') },
  'sends chunks': (reply) => { reply.type('text/plain').chunk('a') },
  'sends chunks, and ends': (reply) => {
    reply.chunk('a')
    reply.closeChunk()
  },
  'only starts': (reply) => { reply.sendChunked(202) },
  'sends late': (reply) => { setImmediate(() => { reply.event('a') }) },
  'sends an initial chunk, async': async (reply) => { reply.initChunk('a') },
  'waits for the end of its connection, async': async (reply) => {
    await reply.event('a')
    await reply.connection.closed
  },
  'sends in a loop until its connection ends, async': async (reply) => {
    while (await reply.event('a')) await new Promise(setImmediate)
  }
}

t.test('the HEAD twin of an ordinary GET route whose handler', async (t) => {
  const routes = (app: FastifyInstance) => {
    for (const [index, handler] of Object.values(STREAMING).entries()) app.get(`/${index}`, (_request, reply) => handler(reply))
  }
  const { app, port, noise } = await start(t, routes)
  for (const [index, title] of Object.keys(STREAMING).entries()) {
    t.test(`${title}: leaves nothing open and answers once`, async (t) => {
      const client = await connect(t, port)
      const { status } = await client.request('HEAD', `/${index}`).head()
      t.equal(status, title === 'only starts' ? 202 : 200)
      await client.get('/nowhere').until('\r\n\r\n{"message":"Route GET:/nowhere not found"')
      t.equal(client.text.match(/HTTP\/1\.1 /g)?.length, 2, 'the next answer on the socket follows at once')
      t.equal(app.connections.size, 0)
      t.same(noise(), [])
    })
  }
})
