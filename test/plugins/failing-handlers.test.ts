/** A handler that throws: an ordinary error response before the take-over, a stream that is cut after it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import t from 'tap'
import type { CloseReason } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const soon = async () => { await new Promise(setImmediate) }

// Before the take-over: nothing sent, something sent in the same tick, a microtask ago, or only prepared.
const EARLY: Record<string, (reply: FastifyReply) => unknown> = {
  'at once': () => { throw new Error('broken') },
  'in the tick of a send': (reply) => {
    reply.code(201).header('x-mine', '1').event('never')
    throw new Error('broken')
  },
  'after sendChunked and chunk': (reply) => {
    reply.sendChunked(202).chunk('never')
    throw new Error('broken')
  },
  'async, at once': async () => { throw new Error('broken') },
  'async, in the tick of a send': async (reply) => {
    reply.initChunk('never').event('never')
    throw new Error('broken')
  },
  'async, some microtasks after a send': async (reply) => {
    reply.event('never')
    for (let i = 0; i < 5; i++) await null
    throw new Error('broken')
  },
  'async, after some work': async (reply) => {
    reply.connection.name = 'prepared'
    await soon()
    throw new Error('broken')
  }
}

const routes = (app: FastifyInstance, handlers: typeof EARLY) => {
  for (const [index, handler] of Object.values(handlers).entries()) {
    app.stream(`/stream/${index}`, (_request, reply) => handler(reply))
    app.get(`/plain/${index}`, (_request, reply) => handler(reply))
  }
}

for (const kind of ['stream', 'plain']) {
  t.test(`in a ${kind} route, an error before the take-over is an ordinary error response`, async (t) => {
    const server = await start(t, (app) => { routes(app, EARLY) })
    const custom = await start(t, (app) => {
      app.setErrorHandler((error, _request, reply) => { reply.code(418).header('x-handled', '1').send({ handled: (error as Error).message }) })
      routes(app, EARLY)
    })
    for (const { app } of [server, custom]) app.connections.on('open', () => { t.fail('no stream opened') })
    for (const [index, title] of Object.keys(EARLY).entries()) {
      const response = await (await connect(t, server.port)).get(`/${kind}/${index}`).answer()
      t.equal(response.status, 500, title)
      t.match(response.headers, { 'content-type': 'application/json; charset=utf-8' })
      t.same(JSON.parse(response.body.toString()), { statusCode: 500, error: 'Internal Server Error', message: 'broken' })
      t.equal(response.rest.length, 0)
      const handled = await (await connect(t, custom.port)).get(`/${kind}/${index}`).answer()
      t.equal(handled.status, 418, `${title}, with an error handler`)
      t.match(handled.headers, { 'x-handled': '1', 'content-type': 'application/json; charset=utf-8' })
      t.same(JSON.parse(handled.body.toString()), { handled: 'broken' })
      t.notOk('x-accel-buffering' in handled.headers, 'without the headers of a stream')
    }
    t.same(server.noise().map(({ level, err }) => [level, err?.message]), Object.keys(EARLY).map(() => [50, 'broken']), 'each is logged once')
    t.same(server.lines('stream closed'), [])
    t.equal(server.app.connections.counts.error, 0)
  })
}

t.test('an error before the take-over settles signal and promise with error', async (t) => {
  const reasons: CloseReason[] = []
  const { app } = await start(t, (app) => {
    app.stream('/', async (_request, { connection }) => {
      void connection.closed.then((reason) => { reasons.push(reason, connection.signal.reason) })
      connection.event('never')
      throw new Error('broken')
    })
  })
  t.equal((await app.inject('/')).statusCode, 500)
  await until(() => reasons.length === 2)
  t.same(reasons, ['error', 'error'])
})

const LATE: Record<string, (reply: FastifyReply) => unknown> = {
  'after the take-over': async (reply) => {
    reply.event('first')
    await until(() => reply.connection.phase === 'open')
    throw new Error('broken')
  },
  'after an answer was awaited': async (reply) => {
    await reply.event('first')
    await soon()
    await reply.event('second')
    throw new Error('broken')
  }
}

for (const kind of ['stream', 'plain']) {
  t.test(`in a ${kind} route, an error after the take-over cuts the stream and is logged once`, async (t) => {
    for (const [index, title] of Object.keys(LATE).entries()) {
      const { app, port, noise, logged } = await start(t, (app) => { routes(app, LATE) })
      const client = (await connect(t, port)).get(`/${kind}/${index}`)
      await client.until('data: first')
      await client.ended()
      t.notOk(client.response.complete, `${title}: the client can tell that it is no proper end`)
      t.notMatch(client.text, '500')
      t.match(await logged('stream closed'), { level: 30, reason: 'error' })
      t.equal(app.connections.counts.error, 1)
      t.same(noise().map(({ err }) => err?.message), ['broken'])
    }
  })
}

const slowHook = (app: FastifyInstance) => app.addHook('onSend', async () => { await delay(20) })

t.test('an error while the onSend hooks of the stream run is an error response', async (t) => {
  const failing = async (_request: unknown, reply: FastifyReply) => {
    reply.event('never')
    await delay(5)
    throw new Error('broken')
  }
  const routes = (app: FastifyInstance) => { app.stream('/stream', failing).get('/plain', failing) }
  const hooked = { after: await start(t, (app) => { routes(slowHook(app)) }), ahead: await start(t, routes, { before: slowHook }) }
  for (const [place, { app, port, noise }] of Object.entries(hooked)) {
    for (const path of ['/stream', '/plain']) {
      const { status, body } = await (await connect(t, port)).get(path).answer()
      t.equal(status, 500, `${path}, with the hook ${place} of Pastelli's`)
      t.match(body.toString(), '"message":"broken"')
      t.equal(app.connections.size, 0)
    }
    t.same(noise().map(({ err }) => err?.message), ['broken', 'broken'], 'each is logged once')
  }
})

const failingHook = (app: FastifyInstance) => app.addHook('onSend', async (_request, reply) => {
  if (reply.statusCode === 200) throw new Error('hook')
})

t.test('an onSend hook that fails is an ordinary error response, and the stream is none', async (t) => {
  const routes = (app: FastifyInstance) => {
    app.stream('/stream', (_request, reply) => { reply.event('never') })
    app.get('/plain', async (_request, reply) => { reply.event('never') })
  }
  const hooked = { after: await start(t, (app) => { routes(failingHook(app)) }), ahead: await start(t, routes, { before: failingHook }) }
  for (const [place, { app, port, noise }] of Object.entries(hooked)) {
    for (const path of ['/stream', '/plain']) {
      const { status, body } = await (await connect(t, port)).get(path).answer()
      t.equal(status, 500, `${path}, with the hook ${place} of Pastelli's`)
      t.match(body.toString(), '"message":"hook"')
      t.equal(app.connections.size, 0)
    }
    t.same(noise().map(({ err }) => err?.message), ['hook', 'hook'], 'each is logged once')
  }
})

t.test('a head that Node refuses is an ordinary error response, and the stream is none', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    const handler = (_request: unknown, reply: FastifyReply) => {
      reply.header('x-mine', 'a\nforged: header').event('never')
    }
    app.stream('/stream', handler).get('/plain', handler).get('/async', async (request, reply) => { handler(request, reply) })
  })
  app.connections.on('open', () => { t.fail('no stream opened') })
  for (const path of ['/stream', '/plain', '/async']) {
    const { status, body, headers } = await (await connect(t, port)).get(path).answer()
    t.equal(status, 500, path)
    t.notOk('forged' in headers)
    t.match(body.toString(), 'ERR_INVALID_CHAR')
  }
  t.ok(noise().length >= 3, 'and logged')
})
