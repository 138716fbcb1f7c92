/** `fastify.stream(path, { topics }, handler?)`: subscribed before the handler runs, or refused before anything is sent. */
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type { PastelliOptions, StreamOptions } from '../../index.ts'
import { build, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const turn = () => new Promise(setImmediate)
const wanted = (request: FastifyRequest) => (request.query as { topic: string | string[] }).topic

const FORMS: Record<string, StreamOptions['topics']> = {
  'one topic': 'a',
  'several topics': ['a', 'b'],
  'a function': wanted,
  'a function that answers later': async (request) => {
    await turn()
    return wanted(request)
  }
}

for (const [form, topics] of Object.entries(FORMS)) {
  await t.test(`${form}, without a handler and with one`, async (t) => {
    const { app, origin, noise } = await start(t, (app) => {
      app.stream('/bare', { topics: topics as string })
      app.stream('/handled', { topics: topics as string }, (_request, reply) => {
        t.equal(app.topics.subscribers('a'), 2, 'it is subscribed when the handler runs')
        app.topics.publish('a', 'from the handler')
        reply.event('direct')
      })
      app.stream('/later', { topics: topics as string }, async (_request, reply) => {
        await turn()
        reply.event('direct, later')
      })
    })
    const clients = [
      await subscribe(t, origin, '/bare?topic=a&topic=b'),
      await subscribe(t, origin, '/handled?topic=a&topic=b'),
      await subscribe(t, origin, '/later?topic=a&topic=b')
    ]
    for (const client of clients) t.equal(client.status, 200)
    app.topics.publish('a', 'live')
    for (const client of clients) await client.until('data: live')
    t.same(clients.map(({ data }) => data), [['from the handler', 'live'], ['direct', 'from the handler', 'live'], ['direct, later', 'live']])
    t.same(noise(), [])
  })
}

await t.test('no topics at all is a stream like any other', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: [] })
    app.stream('/function', { topics: () => [] }, (_request, reply) => { reply.event('direct', { id: 7 }) })
  })
  const bare = await subscribe(t, origin, '/')
  await bare.until(':\n\n')
  const handled = await subscribe(t, origin, '/function')
  await handled.until('id: 7\ndata: direct\n\n')
  t.equal(app.connections.size, 2)
  t.equal(bare.text, ':\n\n')
})

await t.test('a function that throws, or answers what is no topic, is an ordinary error response', async (t) => {
  const functions: Record<string, () => unknown> = {
    throws () { throw Object.assign(new Error('who are you?'), { statusCode: 401 }) },
    async rejects () {
      await turn()
      throw Object.assign(new Error('who are you?'), { statusCode: 401 })
    },
    nothing () {},
    async number () { return 7 },
    empty () { return [''] }
  }
  const { app, origin } = await start(t, (app) => {
    for (const [name, topics] of Object.entries(functions)) {
      app.stream('/' + name, { topics: topics as () => string }, () => { t.fail('the handler ran') })
    }
  })
  app.connections.on('open', () => { t.fail('a stream opened') })
  const statuses: Record<string, number> = {}
  for (const name of Object.keys(functions)) {
    const client = await subscribe(t, origin, '/' + name)
    statuses[name] = client.status
    await client.ended()
    t.equal(client.headers['content-type'], 'application/json; charset=utf-8')
  }
  t.same(statuses, { throws: 401, rejects: 401, nothing: 500, number: 500, empty: 500 })
  t.same([...app.connections.opening], [], 'and no connection is left behind')
})

const REFUSALS: Record<string, PastelliOptions['canSubscribe']> = {
  'at once': (_request, topic) => topic !== 'secret',
  later: async (_request, topic) => {
    await turn()
    return topic !== 'secret'
  }
}

for (const [when, canSubscribe] of Object.entries(REFUSALS)) {
  await t.test(`refused ${when}, it is a plain 403 before anything is sent`, async (t) => {
    const { app, origin } = await start(t, (app) => {
      app.stream('/', { topics: wanted }, () => { t.fail('the handler ran') })
    }, { pastelli: { canSubscribe } })
    app.connections.on('open', () => { t.fail('a stream opened') })
    for (const path of ['/?topic=secret', '/?topic=news&topic=secret']) {
      const client = await subscribe(t, origin, path)
      await client.ended()
      t.equal(client.status, 403)
      t.equal(client.headers['content-type'], 'application/json; charset=utf-8')
      t.match(JSON.parse(client.text), { statusCode: 403, code: 'PST_ERR_FORBIDDEN', message: 'Not allowed to subscribe to "secret"' })
    }
    t.same([app.topics.subscribers('news'), app.topics.subscribers('secret')], [0, 0])
    t.same([...app.connections.opening], [])
  })
}

await t.test('HEAD is answered without asking for topics', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', { topics: () => { throw new Error('asked') } })
  })
  const head = await app.inject({ method: 'HEAD', url: '/' })
  t.equal(head.statusCode, 200)
  t.equal(head.headers['content-type'], 'text/event-stream; charset=utf-8')
})

await t.test('a route with neither topics nor a handler, or with something else for either, is refused when it is declared', async (t) => {
  const { app } = await build(t, () => {})
  const declare = app.stream as (...args: unknown[]) => unknown
  t.throws(() => declare.call(app, '/1', {}), { code: 'PST_ERR_ARGUMENT' })
  t.throws(() => declare.call(app, '/2'), { code: 'PST_ERR_ARGUMENT' })
  t.throws(() => declare.call(app, '/3', { topics: 'a' }, 'handler'), { code: 'PST_ERR_ARGUMENT' })
  t.throws(() => declare.call(app, '/4', { topics: 7 }), { code: 'PST_ERR_OPTION' })
  t.throws(() => declare.call(app, '/5', { topics: '' }), { code: 'PST_ERR_TOPIC' })
})

await t.test('a client that leaves while its topics are looked up is forgotten', async (t) => {
  let answer: ((topics: string[]) => void) | undefined
  let isHandled = false
  const { app, port } = await start(t, (app) => {
    const topics = async () => await new Promise<string[]>((resolve) => { answer = resolve })
    app.stream('/', { topics }, () => { isHandled = true })
  })
  const client = (await connect(t, port)).get('/')
  await until(() => answer)
  const [connection] = app.connections.opening
  client.leave()
  t.equal(await connection?.closed, 'client')
  answer?.(['a'])
  await until(() => isHandled)
  t.equal(app.topics.subscribers('a'), 0)
})
