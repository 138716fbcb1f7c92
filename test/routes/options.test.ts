/** `fastify.stream`: what it takes besides a handler goes to Fastify, or to the connections of this route. */
import t from 'tap'
import { openStream } from '../../testing/index.ts'
import { build, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

t.test('it is GET by default, takes other methods, and can be chained', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/get', () => {}).stream('/post', { method: 'POST' }, () => {}).stream('/both', { method: ['GET', 'POST'] }, () => {})
  })
  const methodsOf = (url: string) => (['GET', 'POST', 'PUT'] as const).filter((method) => app.hasRoute({ url, method }))
  t.same([methodsOf('/get'), methodsOf('/post'), methodsOf('/both')], [['GET'], ['POST'], ['GET', 'POST']])
})

t.test('a POST stream reads its JSON body, validated by the schema before the handler runs', async (t) => {
  let runs = 0
  const { app } = await build(t, (app) => {
    app.stream<{ Body: { prompt: string } }>('/', {
      method: 'POST',
      schema: { body: { type: 'object', required: ['prompt'], properties: { prompt: { type: 'string' } } } }
    }, (request, reply) => {
      runs++
      reply.event(request.body.prompt)
    })
  })
  const stream = await openStream(app, { url: '/', body: { prompt: 'hallo!' } })
  t.equal((await stream.next()).data, 'hallo!')
  stream.close()
  const refused = await openStream(app, { url: '/', body: { nothing: 1 } })
  t.equal(refused.status, 400)
  t.equal(refused.headers['content-type'], 'application/json; charset=utf-8')
  await refused.ended
  t.match(JSON.parse(refused.text), { code: 'FST_ERR_VALIDATION' })
  t.equal(runs, 1)
})

t.test('a schema for query and params, and attachValidation', async (t) => {
  const integer = { type: 'object', properties: { n: { type: 'integer' } } }
  const { app } = await build(t, (app) => {
    app.stream('/strict/:n', { schema: { params: integer, querystring: integer } }, (request, reply) => { reply.event([request.params, request.query]) })
    app.stream('/lax/:n', { schema: { params: integer }, attachValidation: true }, (request, reply) => { reply.event(request.validationError?.message) })
  })
  t.equal((await (await openStream(app, { url: '/strict/1', query: { n: '2' } })).next()).data, '[{"n":1},{"n":2}]')
  t.equal((await openStream(app, { url: '/strict/one' })).status, 400)
  t.equal((await (await openStream(app, { url: '/lax/one' })).next()).data, 'params/n must be integer')
})

t.test('a body over the route\'s bodyLimit is 413', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', { method: 'POST', bodyLimit: 10 }, (request, reply) => { reply.event(request.body) })
  })
  t.equal((await openStream(app, { url: '/', body: { text: 'too long for it' } })).status, 413)
  t.equal((await openStream(app, { url: '/', body: { a: 1 } })).status, 200)
})

t.test('constraints by host and version tell routes of one path apart', async (t) => {
  const { app } = await build(t, (app) => {
    for (const name of ['one', 'two']) {
      app.stream('/', { constraints: { host: `${name}.example` } }, (_request, reply) => { reply.event(name) })
      app.stream('/versions', { constraints: { version: name === 'one' ? '1.0.0' : '2.0.0' } }, (_request, reply) => { reply.event(name) })
    }
  })
  const dataOf = async (url: string, headers: Record<string, string>) => (await (await openStream(app, { url, headers })).next()).data
  t.equal(await dataOf('/', { host: 'one.example' }), 'one')
  t.equal(await dataOf('/', { host: 'two.example' }), 'two')
  t.equal(await dataOf('/versions', { 'accept-version': '1.x' }), 'one')
  t.equal(await dataOf('/versions', { 'accept-version': '2.x' }), 'two')
  t.equal((await openStream(app, { url: '/', headers: { host: 'three.example' } })).status, 404)
  const heads = [await app.inject({ method: 'HEAD', url: '/', headers: { host: 'one.example' } }), await app.inject({ method: 'HEAD', url: '/', headers: { host: 'three.example' } })]
  t.same(heads.map(({ statusCode }) => statusCode), [200, 404], 'HEAD follows them')
})

t.test('hooks, config and errorHandler of the route', async (t) => {
  const ran: string[] = []
  const config = { role: 'admin' }
  const { app } = await build(t, (app) => {
    app.stream('/', {
      config,
      onRequest: async () => { ran.push('onRequest') },
      preHandler: [async () => { ran.push('preHandler 1') }, async () => { ran.push('preHandler 2') }],
      onSend: async (_request, reply) => { reply.header('x-route', 'yes') }
    }, (request, reply) => { reply.event(request.routeOptions.config) })
    app.stream('/broken', { errorHandler: (error, _request, reply) => { reply.code(418).send({ own: (error as Error).message }) } }, () => { throw new Error('broken') })
  })
  const stream = await openStream(app, { url: '/' })
  t.equal(stream.headers['x-route'], 'yes')
  t.match(JSON.parse((await stream.next()).data), { role: 'admin', url: '/' })
  t.same(ran, ['onRequest', 'preHandler 1', 'preHandler 2'])
  t.same(config, { role: 'admin' }, 'the object given is left as it was')
  t.same(Object.getOwnPropertySymbols(config), [])
  const broken = await app.inject('/broken')
  t.same([broken.statusCode, broken.json()], [418, { own: 'broken' }])
})

t.test('logLevel of the route', async (t) => {
  const { app, log } = await build(t, (app) => {
    app.stream('/', { logLevel: 'error' }, (request, reply) => {
      request.log.warn('unheard')
      request.log.error('heard')
      reply.closeChunk()
    })
  })
  await app.inject('/')
  t.same(log.filter(({ reqId }) => reqId !== undefined).map(({ msg }) => msg), ['heard'])
})

t.test('settings of a route hold for its connections only', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/own', { retry: 1000, heartbeat: 20, heartbeatEvent: 'beat' }, () => {})
    app.stream('/off', { heartbeat: 0, retry: 0 }, () => {})
    app.stream('/inherited', () => {})
  }, { pastelli: { retry: 5000, heartbeat: 20 } })
  const own = (await connect(t, port)).get('/own')
  const inherited = (await connect(t, port)).get('/inherited')
  const off = (await connect(t, port)).get('/off')
  await own.until('retry: 1000\n\n')
  await own.until('event: beat\ndata: \n\n')
  await inherited.until('retry: 5000\n\n')
  await inherited.until(': heartbeat\n\n')
  await off.until(({ body }) => body.toString() === ':\n\n')
  t.equal(app.connections.size, 3)
})

t.test('a wrong setting of a route throws where it is declared', async (t) => {
  const { app } = await build(t, () => {})
  t.throws(() => { app.stream('/', { heartbeat: -1 }, () => {}) }, {
    code: 'PST_ERR_OPTION', message: 'pastelli: option "heartbeat" must be an integer of milliseconds from 0 (off) to 2147483647, got -1'
  })
  t.throws(() => { app.stream('/', { drain: 100 } as object, () => {}) }, {
    code: 'PST_ERR_OPTION', message: 'pastelli: option "drain" must be given at register: a route can\'t have its own, got 100'
  })
  t.throws(() => { app.stream('/', {}, undefined as never) }, { code: 'PST_ERR_ARGUMENT' })
})

t.test('the same path twice is Fastify\'s own error', async (t) => {
  const { app } = await build(t, (app) => { app.stream('/', () => {}) })
  t.throws(() => { app.stream('/', () => {}) }, { code: 'FST_ERR_DUPLICATED_ROUTE' })
})

t.test('a stream at the root of a prefix answers with and without the slash, or as prefixTrailingSlash says', async (t) => {
  const expected = { both: ['/both', '/both/'], slash: ['/slash/'], 'no-slash': ['/no-slash'] }
  for (const [prefixTrailingSlash, paths] of Object.entries(expected)) {
    const { app } = await build(t, async (app) => {
      await app.register(async (child) => {
        child.stream('/', { prefixTrailingSlash: prefixTrailingSlash as 'both' }, (_request, reply) => { reply.event('a') })
      }, { prefix: `/${prefixTrailingSlash}` })
    })
    for (const url of [`/${prefixTrailingSlash}`, `/${prefixTrailingSlash}/`]) {
      const status = paths.includes(url) ? 200 : 404
      const stream = await openStream(app, { url })
      t.equal(stream.status, status, `GET ${url}`)
      stream.close()
      t.equal((await app.inject({ method: 'HEAD', url })).statusCode, status, `HEAD ${url}`)
    }
  }
})

t.test('`this` is the instance that declared the route', async (t) => {
  const { app } = await build(t, async (app) => {
    app.stream('/outer', function (_request, reply) { reply.event(Object.is(this, app)) })
    await app.register(async (child) => {
      child.stream('/inner', async function (_request, reply) { await reply.event(Object.is(this, child)) })
      child.get('/plain', async function (_request, reply) { await reply.event(Object.is(this, child)) })
    })
  })
  for (const url of ['/outer', '/inner', '/plain']) {
    const stream = await openStream(app, { url })
    t.equal((await stream.next()).data, 'true', url)
    stream.close()
  }
})

t.test('a malformed path, query or Host crashes nothing', async (t) => {
  const { app, port, noise } = await start(t, (app) => { app.stream('/:name', (request, reply) => { reply.event(request.params) }) })
  for (const [path, host] of [['/%zz', 'localhost'], ['/%00', 'localhost'], ['//', 'localhost'], ['/a?%', 'localhost'], ['/a', '%%%'], ['/a', ''], ['*', 'localhost']]) {
    const client = (await connect(t, port)).write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    const { status } = await client.head()
    t.ok([200, 400, 404].includes(status), `${path} on "${host}": ${status}`)
    client.leave()
  }
  await until(() => app.connections.size === 0)
  t.same(noise(), [])
})
