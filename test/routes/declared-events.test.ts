/** Events that a route's schema declares are serialised as it says, and no others are sent. */
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import t from 'tap'
import { event } from '../../index.ts'
import { build } from '../support/server.ts'

const tick = { type: 'object', properties: { at: { type: 'integer' } }, required: ['at'] }
const events = { tick, token: { type: 'string' }, message: { type: 'array', items: { type: 'number' } } }

t.test('the data of an event is serialised by the schema of its type: what it does not name is left out', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', { schema: { events } }, (_request, reply) => {
      reply.event({ at: 1, secret: 2 } as unknown, { event: 'tick', id: 3, retry: 4 })
      reply.event('text\nin two lines', { event: 'token' })
      reply.event([1, 2])
      reply.closeChunk()
    })
  })
  t.equal((await app.inject('/')).body, 'event: tick\nid: 3\nretry: 4\ndata: {"at":1}\n\nevent: token\ndata: text\ndata: in two lines\n\ndata: [1,2]\n\n')
  const { body } = await app.inject({ url: '/', headers: { accept: 'application/x-ndjson' } })
  t.equal(body, '{"event":"tick","id":"3","data":{"at":1}}\n{"event":"token","data":"text\\nin two lines"}\n[1,2]\n')
})

t.test('what the schema does not have is refused at the caller, and nothing is sent', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', { schema: { events } }, (_request, reply) => {
      const send = reply.connection.event.bind(reply.connection)
      t.throws(() => send({}, { event: 'tock' }), { code: 'PST_ERR_EVENT', message: 'The schema of this route has no event "tock", only tick, token, message' })
      t.throws(() => send(event({ event: 'tock' })), { code: 'PST_ERR_EVENT' })
      t.throws(() => send({ at: 'x'.repeat(3) }, { event: 'tick' }), { code: 'PST_ERR_DATA' })
      for (const data of ['text', [1], null, 7, true]) t.throws(() => send(data, { event: 'tick' }), { code: 'PST_ERR_DATA', message: /the schema of "tick" wants object/ })
      t.throws(() => send({ b: 1 }, { event: 'tick' }), { code: 'PST_ERR_DATA', message: /"at" is required/ })
      for (const data of [undefined, () => {}]) t.throws(() => send(data), { code: 'PST_ERR_DATA' })
      t.throws(() => send([1], { event: 'a\nb' }), { code: 'PST_ERR_EVENT' })
      t.throws(() => send([1], { id: 'a\nb' }), { code: 'PST_ERR_FIELD' })
      t.throws(() => send([1], { nope: 1 } as never), { code: 'PST_ERR_FIELD' })
      reply.closeChunk()
    })
  })
  t.equal((await app.inject('/')).body, ':\n\n')
})

t.test('what a generator yields is checked as well: before the first item it is an error response, later an error event', async (t) => {
  const { app, lines } = await build(t, (app) => {
    app.stream('/early', { schema: { events } }, async function * () {
      yield event({ event: 'tock', data: 1 }) as never
    })
    app.stream('/late', { schema: { events } }, async function * () {
      yield event({ comment: 'hello' })
      yield event({ event: 'tick', data: { at: 1 } })
      yield event({ event: 'tock', data: 1 }) as never
    })
  })
  const early = await app.inject('/early')
  t.equal(early.statusCode, 500)
  t.match(early.json(), { code: 'PST_ERR_EVENT' })
  t.equal((await app.inject('/late')).body, ': hello\n\nevent: tick\ndata: {"at":1}\n\nevent: error\ndata: {"message":"Internal Server Error"}\n\n')
  t.equal(lines('the source of a stream failed').length, 1)
})

t.test('a client that can\'t stream gets no more than the schema names, and no other events', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', { schema: { events } }, function * () {
      yield event({ event: 'tick', id: 3, data: { at: 1, secret: 2 } as { at: number }, comment: 'hello' })
      yield event({ event: 'token', data: 'text' })
      yield [1, 2]
      yield event({ comment: 'hello' })
    })
    app.stream('/tock', { schema: { events } }, function * () { yield event({ event: 'tock', data: 1 }) as never })
    app.stream('/wrong', { schema: { events } }, function * () { yield 'text' as never })
  })
  const ask = (url: string) => app.inject({ url, headers: { accept: 'application/json' } })
  t.same((await ask('/')).json(), [{ event: 'tick', id: '3', data: { at: 1 } }, { event: 'token', data: 'text' }, [1, 2]])
  t.match((await ask('/tock')).json(), { statusCode: 500, code: 'PST_ERR_EVENT' })
  t.match((await ask('/wrong')).json(), { statusCode: 500, code: 'PST_ERR_DATA' })
})

t.test('the instance\'s own serializer compiler is used, and shared schemas are known to it', async (t) => {
  const compiled: unknown[] = []
  const { app } = await build(t, (app) => {
    app.addSchema({ $id: 'tick', ...tick })
    app.stream('/shared', { schema: { events: { tick: { $ref: 'tick#' } } } }, (_request, reply) => {
      reply.event({ at: 1, secret: 2 } as unknown, { event: 'tick' })
      reply.closeChunk()
    })
    app.register(async (scope) => {
      scope.setSerializerCompiler(({ schema }) => {
        compiled.push(schema)
        return (data) => JSON.stringify(data, null, 1)
      })
      scope.stream('/own', { schema: { events: { tick } } }, (_request, reply) => {
        reply.event({ at: 1 }, { event: 'tick' })
        reply.closeChunk()
      })
    })
  })
  t.equal((await app.inject('/shared')).body, 'event: tick\ndata: {"at":1}\n\n')
  t.equal((await app.inject('/own')).body, 'event: tick\ndata: {\ndata:  "at": 1\ndata: }\n\n', 'which may use lines')
  t.equal((await app.inject({ url: '/own', headers: { accept: 'application/jsonl' } })).body, '{"event":"tick","data":{"at": 1}}\n', 'but a line is one value')
  t.same(compiled, [tick], 'compiled once')
})

t.test('schemas made by TypeBox serialise and refuse as well', async (t) => {
  const schema = {
    params: Type.Object({ at: Type.Integer() }),
    events: { tick: Type.Object({ at: Type.Integer(), by: Type.Optional(Type.String()) }), level: Type.Union([Type.Literal('low'), Type.Literal('high')]), message: Type.String() }
  }
  const { app } = await build(t, (app) => {
    const typed = app.withTypeProvider<TypeBoxTypeProvider>()
    typed.stream('/sent/:at', { schema }, ({ params }, reply) => {
      const tick = { at: params.at, secret: 2 }
      reply.event(tick, { event: 'tick' })
      reply.event('low', { event: 'level' })
      reply.event('text')
      const send = reply.connection.event.bind(reply.connection)
      t.throws(() => send({}, { event: 'tock' }), { code: 'PST_ERR_EVENT', message: 'The schema of this route has no event "tock", only tick, level, message' })
      t.throws(() => send({ by: 'me' }, { event: 'tick' }), { code: 'PST_ERR_DATA', message: /"at" is required/ })
      t.throws(() => send(7), { code: 'PST_ERR_DATA', message: /the schema of "message" wants string/ })
      reply.closeChunk()
    })
    typed.stream('/yielded/:at', { schema }, async function * ({ params }) {
      yield event({ event: 'tick', data: { at: params.at, by: 'me' } })
      yield 'text'
    })
    typed.stream('/resumed/:at', { schema, resumable: ({ params }) => String(params.at) }, async function * ({ params }) {
      yield event({ event: 'tick', data: { at: params.at } })
    })
    // @ts-expect-error No overload matches this call
    typed.stream('/refused/:at', { schema }, async function * () {
      yield event({ event: 'tock', data: { at: 1 } })
    })
  })
  t.equal((await app.inject('/sent/1')).body, 'event: tick\ndata: {"at":1}\n\nevent: level\ndata: low\n\ndata: text\n\n')
  t.equal((await app.inject('/yielded/2')).body, 'event: tick\ndata: {"at":2,"by":"me"}\n\ndata: text\n\n')
  t.match((await app.inject('/resumed/3')).body, /^event: tick\nid: .+\ndata: {"at":3}$/m)
  t.match((await app.inject('/refused/4')).json(), { statusCode: 500, code: 'PST_ERR_EVENT' })
})

t.test('what is no object of schemas is refused where the route is declared', async (t) => {
  await build(t, (app) => {
    for (const events of [null, 'tick', 7, { tick: 'object' }, { tick: null }]) {
      t.throws(() => { app.stream('/', { schema: { events } } as never, () => {}) }, { code: 'PST_ERR_OPTION', message: /schema\.events/ })
    }
  })
})
