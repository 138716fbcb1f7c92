/** Publish, subscribe and unsubscribe: who gets what, byte for byte, and what the publisher is told. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Connection } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const prices = (app: FastifyInstance) => {
  app.stream('/', (_request, reply) => { reply.connection.subscribe('prices') })
}

await t.test('an event goes out to every subscriber, byte for byte, with the id that publish answered', async (t) => {
  const { app, port, noise } = await start(t, prices)
  const clients = await Promise.all([1, 2, 3].map(async () => (await connect(t, port)).get('/')))
  await until(() => app.connections.size === 3)
  const [epoch] = app.topics.position.split(':')
  const ids = [
    app.topics.publish('prices', { cents: 120 }),
    app.topics.publish('prices', 'two\nlines'),
    app.topics.publish('prices', 'grüße', { event: 'greeting', retry: 3_000 })
  ]
  t.same(ids, [`${epoch}:1`, `${epoch}:2`, `${epoch}:3`])
  t.equal(app.topics.position, ids[2], 'the position of the log is that of the newest event')
  const expected = `:\n\nid: ${epoch}:0\n\n` +
    `id: ${epoch}:1\ndata: {"cents":120}\n\n` +
    `id: ${epoch}:2\ndata: two\ndata: lines\n\n` +
    `event: greeting\nid: ${epoch}:3\nretry: 3000\ndata: grüße\n\n`
  for (const client of clients) {
    await client.until('grüße\n\n')
    t.equal(client.response.body.toString(), expected)
  }
  for (const connection of app.connections) {
    t.equal(connection.bytes, Buffer.byteLength(expected), 'its bytes are counted')
    t.equal(connection.events, 3, 'and its events, without what only tells the position')
  }
  t.same(noise(), [])
})

await t.test('a parser that is not ours reads the id that publish answered', async (t) => {
  const { app, origin } = await start(t, prices)
  const client = await subscribe(t, origin, '/')
  const ids: unknown[] = []
  for (let i = 0; i < 20; i++) ids.push(app.topics.publish('prices', i))
  await client.count(20)
  t.same(client.ids, ids)
  t.same(client.data.map(Number), ids.map((_id, i) => i))
})

await t.test('subscribe and unsubscribe work later, too, and several topics at once', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', () => {}) })
  const client = await subscribe(t, origin, '/')
  const [here] = [...app.connections] as [Connection]
  app.topics.publish('a', 'nobody listens')
  here.subscribe('a')
  app.topics.publish('a', 'a1')
  here.subscribe(['b', 'c', 'b'])
  for (const topic of ['a', 'b', 'c', 'd']) app.topics.publish(topic, topic + '2')
  here.unsubscribe(['a', 'c'])
  for (const topic of ['a', 'b', 'c', 'd']) app.topics.publish(topic, topic + '3')
  here.unsubscribe('b')
  app.topics.publish('b', 'b4')
  here.unsubscribe('never subscribed')
  here.event('end')
  await client.until('data: end')
  t.same(client.data, ['a1', 'a2', 'b2', 'c2', 'b3', 'end'])
  t.same(['a', 'b', 'c', 'd'].map((topic) => app.topics.subscribers(topic)), [0, 0, 0, 0])
})

await t.test('subscribers are counted, each connection once for a topic', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.connection.subscribe(['a', 'b'])
      reply.connection.subscribe('a', { filter: () => true })
    })
  })
  const witness = new Witness(app)
  const clients = [await subscribe(t, origin, '/'), await subscribe(t, origin, '/')]
  t.same([app.topics.subscribers('a'), app.topics.subscribers('b'), app.topics.subscribers('c')], [2, 2, 0])
  witness.opened[0]?.unsubscribe('a')
  t.equal(app.topics.subscribers('a'), 1)
  witness.opened[0]?.unsubscribe('a')
  t.equal(app.topics.subscribers('a'), 1)
  clients[1]?.leave()
  await until(() => witness.closed.length === 1)
  t.same([app.topics.subscribers('a'), app.topics.subscribers('b')], [0, 1])
})

await t.test('a publish to nobody is kept, and costs the subscribers of other topics nothing', async (t) => {
  const { app, origin } = await start(t, prices)
  const client = await subscribe(t, origin, '/')
  app.topics.publish('weather', 'rain')
  app.topics.publish('prices', 1)
  await client.count(1)
  const late = await subscribe(t, origin, '/')
  app.topics.publish('weather', 'sun')
  app.topics.publish('prices', 2)
  await late.count(1)
  t.same(client.data, ['1', '2'])
  t.same(late.data, ['2'])
})

await t.test('the same key on the same topic is published once', async (t) => {
  const { app, origin } = await start(t, prices)
  const client = await subscribe(t, origin, '/')
  const first = app.topics.publish('prices', 'first', { key: 'order 1' })
  t.equal(app.topics.publish('prices', 'again', { key: 'order 1' }), first)
  app.topics.publish('weather', 'another topic', { key: 'order 1' })
  app.topics.publish('prices', 'second', { key: 'order 2' })
  await client.count(2)
  t.same(client.data, ['first', 'second'])
})

await t.test('what can not be published throws at the publisher, and appends nothing', async (t) => {
  const { app, origin } = await start(t, prices)
  const client = await subscribe(t, origin, '/')
  const { topics } = app
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const before = topics.position
  const data: unknown[] = [undefined, () => {}, Symbol('s'), 1n, cycle, 'half \ud800 a pair', { toJSON () { throw new Error('no JSON') } }]
  for (const bad of data) t.throws(() => topics.publish('prices', bad), { code: 'PST_ERR_DATA' }, typeof bad)
  const names: unknown[] = ['', 'a\nb', 'a\rb', 'a\0b', 'a\tb', 'x'.repeat(257), '\ud800', undefined, null, 7, ['prices'], {}]
  for (const bad of names) t.throws(() => topics.publish(bad as string, 1), { code: 'PST_ERR_TOPIC' }, JSON.stringify(bad))
  const options: unknown[] = [
    { event: 'a\nb' }, { event: 'a\rb' }, { event: 'a\0b' }, { event: 7 }, { event: '\ud800' },
    { retry: -1 }, { retry: 1.5 }, { retry: NaN }, { retry: '1' }, { id: '1' }, { evnet: 'tick' },
    { except: 7 }, { except: null }, { except: {} }, { key: 7 }, 'tick', null, 7
  ]
  for (const bad of options) t.throws(() => topics.publish('prices', 1, bad as object), { code: 'PST_ERR_FIELD' }, JSON.stringify(bad))
  t.equal(topics.position, before)
  topics.publish('prices', 'good', { event: undefined, retry: undefined, except: undefined, key: undefined })
  topics.publish('x'.repeat(256), 'good')
  await client.count(1)
  t.equal(client.text, `:\n\nid: ${before}\n\nid: ${before.replace(':0', ':1')}\ndata: good\n\n`)
})

await t.test('what can not be subscribed throws at the subscriber, and changes nothing', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', () => {})
    app.get('/bytes', (_request, reply) => { reply.sendChunked() })
  })
  const witness = new Witness(app)
  const client = (await connect(t, port)).get('/')
  const connection = await witness.open()
  const names: unknown[] = ['', 'a\nb', 'x'.repeat(257), undefined, null, 7, {}, ['good', ''], ['good', 7]]
  for (const bad of names) {
    t.throws(() => connection.subscribe(bad as string), { code: 'PST_ERR_TOPIC' }, JSON.stringify(bad))
    t.throws(() => { connection.unsubscribe(bad as string) }, { code: 'PST_ERR_TOPIC' }, JSON.stringify(bad))
  }
  t.throws(() => connection.subscribe('a', { filter: 'yes' as never }), { code: 'PST_ERR_ARGUMENT' })
  t.throws(() => connection.subscribe('a', { after: 7 as never }), { code: 'PST_ERR_ARGUMENT' })
  connection.subscribe([])
  t.equal(app.topics.subscribers('good'), 0)
  connection.event('its id is its own', { id: 7 })
  await client.until('id: 7\ndata: its id is its own\n\n')
  t.equal(client.response.body.toString(), ':\n\nid: 7\ndata: its id is its own\n\n', 'no position was told')
  await (await connect(t, port)).get('/bytes').head()
  const bytes = await witness.open(1)
  t.throws(() => bytes.subscribe('a'), { code: 'PST_ERR_CONTENT_TYPE' })
  t.equal(app.topics.subscribers('a'), 0)
})

await t.test('ids on a subscribed connection are positions: one of the app\'s own throws', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.connection.subscribe('prices')
      t.throws(() => reply.initChunk('hello', { id: 1 }), { code: 'PST_ERR_ID' })
      t.throws(() => reply.event('hello', { id: 1 }), { code: 'PST_ERR_ID' })
      t.throws(() => reply.event('hello', { id: '' }), { code: 'PST_ERR_ID' })
      reply.initChunk('hello', { event: 'hello' })
    })
  })
  const witness = new Witness(app)
  const client = (await connect(t, port)).get('/')
  const connection = await witness.open()
  t.throws(() => connection.event('direct', { id: 'mine' }), { code: 'PST_ERR_ID' })
  t.equal(connection.event('direct', { event: 'direct', retry: 5 }), true)
  await client.until('data: direct\n\n')
  t.equal(client.response.body.toString(), `event: hello\ndata: hello\n\nid: ${app.topics.position}\n\nevent: direct\nretry: 5\ndata: direct\n\n`)
  t.equal(connection.phase, 'open')
})

await t.test('a connection that has ended subscribes to nothing', async (t) => {
  const { app, origin } = await start(t, prices)
  const witness = new Witness(app)
  const client = await subscribe(t, origin, '/')
  client.leave()
  await witness.sees(t, 'client')
  const [connection] = witness.opened
  t.equal(connection?.subscribe('prices'), undefined)
  connection?.unsubscribe('prices')
  t.equal(app.topics.subscribers('prices'), 0)
})
