/** What `pastelli/metrics` says of an app, to whoever reads its registry. */
import { execFileSync } from 'node:child_process'
import { channel } from 'node:diagnostics_channel'
import fastify from 'fastify'
import { Counter, Registry, register } from 'prom-client'
import t, { type Test } from 'tap'
import pastelli, { memoryLog } from '../../index.ts'
import metrics from '../../metrics/prometheus.ts'
import { locate, without } from '../support/programs.ts'
import { build, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

const PROMTOOL = ['promtool']
const withoutPromtool = without('CHECKED BY PROMETHEUS', PROMTOOL, 'prometheus')

const CHANNELS = ['connection:open', 'connection:close', 'connection:overflow', 'connection:gap', 'connection:replay', 'topics:publish', 'topics:delivery']

// The lines of a scrape, without the prefix: `connections{transport="http1",route="/"}` is 1.
async function scrape (registry: Registry): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => {
    const [, name = '', value] = /^pastelli_(.*) (\S+)$/.exec(line) ?? []
    return [name, Number(value)]
  }))
}

async function startMeasured (t: Test, registry: Registry, path: string): Promise<Awaited<ReturnType<typeof start>>> {
  return await start(t, async (app) => {
    await app.register(metrics, { registers: [registry] })
    app.stream(path, { topics: 'a', websocket: {} })
  })
}

await t.test('streams are counted by transport and the pattern of their route while they are open, and by the reason when they have ended', async (t) => {
  const registry = new Registry()
  const server = await startMeasured(t, registry, '/users/:id')
  const { app, origin } = server
  const clients = [await subscribe(t, origin, '/users/1'), await subscribe(t, origin, '/users/2')]
  await dial(t, server, '/users/3')
  await until(() => app.connections.size === 3)
  t.match(await scrape(registry), {
    'connections{transport="http1",route="/users/:id"}': 2,
    'connections{transport="websocket",route="/users/:id"}': 1,
    'connections_opened_total{transport="http1",route="/users/:id"}': 2,
    'connections_closed_total{reason="client",route="/users/:id"}': 0,
    'connections_closed_total{reason="error",route="/users/:id"}': 0
  })
  clients[0]?.leave()
  await until(() => app.connections.size === 2)
  for (const connection of app.connections) if (connection.transport === 'http1') connection.close()
  await until(() => app.connections.size === 1)
  const figures = await scrape(registry)
  t.match(figures, {
    'connections{transport="http1",route="/users/:id"}': 0,
    'connections_opened_total{transport="http1",route="/users/:id"}': 2,
    'connections_opened_total{transport="websocket",route="/users/:id"}': 1,
    'connections_closed_total{reason="client",route="/users/:id"}': 1,
    'connections_closed_total{reason="server",route="/users/:id"}': 1,
    'stream_duration_seconds_count{route="/users/:id"}': 2,
    'stream_duration_seconds_bucket{le="86400",route="/users/:id"}': 2
  })
  const lasted = figures['stream_duration_seconds_sum{route="/users/:id"}'] ?? 0
  t.ok(lasted > 0 && lasted < 20, `${lasted} s`)
})

await t.test('what is published and sent is counted, also of those who have left, and how long it took is told', async (t) => {
  const registry = new Registry()
  const { app, origin } = await startMeasured(t, registry, '/')
  const one = await subscribe(t, origin, '/')
  const other = await subscribe(t, origin, '/')
  await app.topics.publish('a', 'für')
  await Promise.all([one.count(1), other.count(1)])
  const bytes = [...app.connections].reduce((sum, connection) => sum + connection.bytes, 0)
  const before = await scrape(registry)
  t.match(before, {
    events_published_total: 1,
    published_bytes_total: 4,
    'events_sent_total{transport="http1",route="/"}': 2,
    'sent_bytes_total{transport="http1",route="/"}': bytes,
    delivery_latency_seconds_count: 1,
    'delivery_latency_seconds_bucket{le="10"}': 1
  })
  one.leave()
  await until(() => app.connections.size === 1)
  await app.topics.publish('nobody', 'x')
  const after = await scrape(registry)
  t.match(after, { events_published_total: 2, published_bytes_total: 5, 'events_sent_total{transport="http1",route="/"}': 2, 'sent_bytes_total{transport="http1",route="/"}': bytes })
})

await t.test('replays, gaps and overflows are counted, and who is behind and what waits for them is seen', async (t) => {
  const registry = new Registry()
  const { app, port, origin } = await start(t, async (app) => {
    await app.register(metrics, { registers: [registry] })
    app.stream('/', { topics: 'a' })
  }, { pastelli: { log: memoryLog({ events: 20 }), overflow: 'skip' } })
  const { position } = app.topics
  for (let n = 0; n < 5; n++) await app.topics.publish('a', n)
  await (await subscribe(t, origin, '/', { lastEventId: position })).count(5)
  await (await subscribe(t, origin, '/', { lastEventId: 'x' })).count(1)
  t.match(await scrape(registry), { replays_total: 2, replayed_events_total: 5, 'gaps_total{reason="malformed"}': 1, 'gaps_total{reason="overflow"}': 0, 'overflows_total{policy="skip"}': 0 })
  const witness = new Witness(app)
  const client = (await connect(t, port)).get('/')
  await client.until('id: ')
  client.pause()
  const slow = await witness.open()
  for (let n = 0; slow.cursor?.behindSince === 0; n++) {
    if (n === 10_000) throw new Error('it never falls behind')
    await app.topics.publish('a', 'x'.repeat(10_000))
    await new Promise(setImmediate)
  }
  for (let n = 0; n < 50; n++) await app.topics.publish('a', 'x'.repeat(10_000))
  const figures = await scrape(registry)
  t.ok((figures['connections_behind{transport="http1",route="/"}'] ?? 0) >= 1)
  t.ok((figures['lag_max_seconds{transport="http1",route="/"}'] ?? 0) > 0)
  t.ok((figures['buffered_max_bytes{transport="http1",route="/"}'] ?? 0) >= slow.queued && slow.queued > 0)
  t.ok((figures['buffered_bytes{transport="http1",route="/"}'] ?? 0) >= (figures['buffered_max_bytes{transport="http1",route="/"}'] ?? Infinity))
  client.resume()
  await until(() => slow.cursor?.behindSince === 0, 'it has all again')
  const after = await scrape(registry)
  t.ok((after['overflows_total{policy="skip"}'] ?? 0) >= 1)
  t.equal(after['overflows_total{policy="skip"}'], after['gaps_total{reason="overflow"}'])
})

await t.test('apps that share a registry are summed up, others are left out, and no total falls when one of them closes', async (t) => {
  const registry = new Registry()
  const one = await startMeasured(t, registry, '/')
  const other = await startMeasured(t, registry, '/')
  const own = new Registry()
  const apart = await startMeasured(t, own, '/')
  const unmeasured = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  for (const { app, origin } of [one, other, apart, unmeasured]) {
    const client = await subscribe(t, origin, '/')
    await app.topics.publish('a', 'x')
    await client.count(1)
  }
  await (await subscribe(t, unmeasured.origin, '/', { lastEventId: 'x' })).count(1)
  const opened = 'connections_opened_total{transport="http1",route="/"}'
  const sent = 'events_sent_total{transport="http1",route="/"}'
  t.match(await scrape(registry), { [opened]: 2, [sent]: 2, events_published_total: 2, delivery_latency_seconds_count: 2, replays_total: 0, 'gaps_total{reason="malformed"}': 0 })
  t.match(await scrape(own), { [opened]: 1, [sent]: 1, events_published_total: 1, delivery_latency_seconds_count: 1 })
  await one.app.close()
  t.match(await scrape(registry), {
    [opened]: 2, [sent]: 2, events_published_total: 2, 'connections{transport="http1",route="/"}': 1, 'connections_closed_total{reason="shutdown",route="/"}': 1
  })
  await other.app.close()
  t.same(registry.getMetricsAsArray(), [], 'nothing is left of it')
  t.not(own.getMetricsAsArray().length, 0)
})

await t.test('nothing of an app that has closed is held or listens', async (t) => {
  const listeners = () => CHANNELS.filter((name) => channel(`pastelli:${name}`).hasSubscribers)
  t.same(listeners(), [])
  const { app } = await build(t, async (app) => {
    await app.register(metrics)
    await app.register(metrics, { prefix: 'more_' })
    await app.register(metrics)   // twice is harmless
  })
  t.same(listeners(), CHANNELS.slice(1), 'nobody asks who opens')
  t.ok(register.getSingleMetric('pastelli_connections'), 'by default in the registry of prom-client')
  t.ok(register.getSingleMetric('more_connections'))
  await app.close()
  t.same(listeners(), [])
  t.same(register.getMetricsAsArray(), [])
})

await t.test('a total never falls, whoever leaves while it is read', async (t) => {
  const registry = new Registry()
  const { app, origin } = await startMeasured(t, registry, '/')
  const names = ['connections_opened_total{transport="http1",route="/"}', 'events_sent_total{transport="http1",route="/"}', 'sent_bytes_total{transport="http1",route="/"}']
  let before = names.map(() => 0)
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(Array.from({ length: 5 }, () => subscribe(t, origin, '/')))
    await app.topics.publish('a', 'x')
    const scraped = scrape(registry)
    for (const connection of [...app.connections].slice(0, 5)) connection.destroy()
    const figures = await scraped
    const now = names.map((name) => figures[name] ?? 0)
    t.ok(now.every((total, i) => total >= (before[i] as number)), `${before.join()} → ${now.join()}`)
    before = now
    for (const client of clients) client.leave()
  }
  await until(() => app.connections.size === 0)
  const figures = await scrape(registry)
  t.equal(figures[names[0] as string], 100)
  t.equal(figures['stream_duration_seconds_count{route="/"}'], 100)
})

await t.test('a registry that the app has cleared gets the metrics again from the next app', async (t) => {
  const registry = new Registry()
  await startMeasured(t, registry, '/')
  registry.clear()
  await startMeasured(t, registry, '/')
  t.ok(registry.getSingleMetric('pastelli_connections'))
})

await t.test('a registry in the format of OpenMetrics has them too', async (t) => {
  const registry = new Registry()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  const { app, origin } = await start(t, async (app) => {
    await app.register(metrics, { registers: [registry] })
    app.stream('/', { topics: 'a' })
  })
  await subscribe(t, origin, '/')
  const text = await registry.metrics()
  t.match(text, /^# TYPE pastelli_connections_opened counter$/m)
  t.match(text, /^pastelli_connections_opened_total\{transport="http1",route="\/"\} 1$/m)
  await app.close()
  t.same(registry.getMetricsAsArray(), [])
})

await t.test('wrong options are refused, with what is wrong, and leave nothing behind', async (t) => {
  const taken = new Registry()
  const own = new Counter({ name: 'pastelli_gaps_total', help: 'Another one.', registers: [taken] })
  const wrong: Array<[options: object, option: string]> = [
    [{ registers: [] }, 'registers'], [{ registers: new Registry() }, 'registers'], [{ registers: [null] }, 'registers'], [{ registers: [{}] }, 'registers'],
    [{ prefix: '1' }, 'prefix'], [{ prefix: 'a-b' }, 'prefix'], [{ prefix: 1 }, 'prefix'],
    [{ registers: [new Registry(), taken] }, 'prefix'],
    [{ registry: taken }, 'registry']
  ]
  for (const [options, option] of wrong) {
    const app = fastify()
    await app.register(pastelli)
    await t.rejects(async () => { await app.register(metrics, options) }, { code: 'PST_ERR_OPTION', message: `option "${option}"` }, Object.keys(options).join())
    await app.close()
  }
  t.same(taken.getMetricsAsArray(), [own])
  const { app } = await build(t, async (app) => { await app.register(metrics, { registers: [taken], prefix: '', logLevel: 'warn' }) })
  t.ok(taken.getSingleMetric('gaps_total'), 'the prefix may be nothing')
  await app.close()
  t.same(taken.getMetricsAsArray(), [own])
})

await t.test('it needs pastelli', async (t) => {
  const app = fastify()
  await t.rejects(async () => { await app.register(metrics) }, /pastelli/)
})

await t.test('Prometheus finds nothing wrong with the names and the help', { skip: withoutPromtool }, async (t) => {
  const registry = new Registry()
  await startMeasured(t, registry, '/')
  t.equal(execFileSync(locate(PROMTOOL), ['check', 'metrics'], { input: await registry.metrics(), encoding: 'utf8' }), '')
})
