/** `register`: options in, and where what it adds can be reached. */
import fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import pastelli, { type PastelliOptions } from '../../index.ts'
import { kHost } from '../../lib/symbols.ts'
import { openStream } from '../../testing/index.ts'
import { build, start } from '../support/server.ts'
import { until } from '../support/until.ts'

t.test('a wrong option fails the registration, and the error names option, rule and value', async (t) => {
  const time = 'an integer of milliseconds from 0 (off) to 2147483647'
  const size = 'a positive integer of bytes'
  const count = 'a positive integer or Infinity'
  const wrong: Array<[name: string, value: unknown, rule: string, shown: string]> = [
    ['heartbeat', -1, time, '-1'],
    ['heartbeatEvent', 'a\nb', 'null or a type of event, not empty and without CR, LF and NUL', '"a\\nb"'],
    ['retry', '3000', time, '"3000"'],
    ['maxAge', 1.5, time, '1.5'],
    ['writeTimeout', Infinity, time, 'Infinity'],
    ['highWaterMark', 0, size, '0'],
    ['maxBuffered', null, size, 'null'],
    ['maxConnections', 0, count, '0'],
    ['maxConnectionsPerKey', {}, count, 'an object'],
    ['key', 'ip', 'a function from a request to a string', '"ip"'],
    ['drain', 0, 'an integer of milliseconds from 1 to 2147483647', '0']
  ]
  for (const [name, value, rule, shown] of wrong) {
    const app = fastify()
    await t.rejects(async () => await app.register(pastelli, { [name]: value }), {
      code: 'PST_ERR_OPTION', message: `pastelli: option "${name}" must be ${rule}, got ${shown}`
    })
  }
})

t.test('an unknown option fails the registration, and the error names those there are', async (t) => {
  const app = fastify()
  await t.rejects(async () => await app.register(pastelli, { heartBeat: 1000 } as PastelliOptions), {
    code: 'PST_ERR_OPTION',
    message: 'pastelli: option "heartBeat" must be one of heartbeat, heartbeatEvent, retry, maxAge, writeTimeout, ' +
      'highWaterMark, maxBuffered, maxConnections, maxConnectionsPerKey, key, formats, compression, errorData, terminator, overflow, drain, coalesce, log, canSubscribe, websocket, got an unknown option'
  })
})

t.test('undefined is an option not given', async (t) => {
  const { app } = await build(t, () => {}, { pastelli: { heartbeat: undefined } })
  t.equal(app[kHost].settings.heartbeat, 15_000)
})

t.test('options are read once: changing the object later changes nothing', async (t) => {
  const options = { retry: 1_000 }
  const { app } = await build(t, (app) => { app.stream('/live', () => {}) }, { pastelli: options })
  options.retry = 2_000
  t.ok(Object.isFrozen(app[kHost].settings))
  const stream = await openStream(app, { url: '/live' })
  await until(() => stream.text === 'retry: 1000\n\n', 'the first delay is told')
  stream.close()
})

t.test('registering twice in one context, or below one that has it, is an error', async (t) => {
  const same = fastify()
  await same.register(pastelli)
  await t.rejects(async () => await same.register(pastelli), { code: 'PST_ERR_REGISTERED', message: /register it once/ })
  const below = fastify()
  await below.register(pastelli)
  await t.rejects(async () => await below.register(async (child) => { await child.register(pastelli) }), { code: 'PST_ERR_REGISTERED' })
})

t.test('under a prefix, stream routes and verbs work and the pattern has the prefix', async (t) => {
  const { app } = await start(t, async (app) => {
    await app.register(async (child) => {
      child.stream('/news/:topic', (request, reply) => { reply.event([request.params, reply.connection.route]) })
      child.get('/plain', (_request, reply) => { reply.event(reply.connection.route) })
    }, { prefix: '/v1' })
  })
  const stream = await openStream(app, { url: '/v1/news/art', via: 'port' })
  t.equal((await stream.next()).data, '[{"topic":"art"},"/v1/news/:topic"]')
  const plain = await openStream(app, { url: '/v1/plain', via: 'port' })
  t.equal((await plain.next()).data, '/v1/plain')
  t.equal(app.connections.size, 2, 'the registry of the parent has them')
  stream.close()
  plain.close()
})

t.test('registered in an encapsulated context, it stays there', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(async (child) => {
    await child.register(pastelli)
    child.stream('/inside', (_request, reply) => { reply.event('a') })
  })
  app.get('/outside', (_request, reply) => { reply.send({ verbs: 'event' in reply, connections: 'connections' in app, stream: 'stream' in app }) })
  const inside = await openStream(app, { url: '/inside' })
  t.match(await inside.next(), { data: 'a' })
  inside.close()
  t.same((await app.inject('/outside')).json(), { verbs: false, connections: false, stream: false })
})

t.test('two sibling contexts have a registry, options and a shutdown each', async (t) => {
  const app = fastify()
  const siblings: FastifyInstance[] = []
  for (const [name, retry] of [['one', 1_000], ['two', 2_000]] as const) {
    await app.register(async (child) => {
      await child.register(pastelli, { retry })
      child.stream(`/${name}`, () => {})
      siblings.push(child)
    })
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  const one = await openStream(app, { url: '/one', via: 'port' })
  const two = await openStream(app, { url: '/two', via: 'port' })
  t.same(siblings.map(({ connections }) => connections.size), [1, 1])
  await until(() => one.text === 'retry: 1000\n\n' && two.text === 'retry: 2000\n\n', 'each has its own delay')
  await app.close()
  t.same([await one.ended, await two.ended], ['complete', 'complete'])
  t.same(siblings.map(({ connections }) => connections.counts.shutdown), [1, 1])
})

t.test('an app that has the plugin and no streams serves as before', async (t) => {
  const { app } = await build(t, (app) => { app.get('/plain', async () => ({ a: 1 })) })
  t.ok(app.hasPlugin('pastelli'))
  t.same((await app.inject('/plain')).json(), { a: 1 })
})
