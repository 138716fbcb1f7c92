/** What `pastelli/opentelemetry` says of an app, by the SDK's own exporters. */
import { channel } from 'node:diagnostics_channel'
import { AsyncLocalStorage } from 'node:async_hooks'
import { type Context, context, type ContextManager, metrics, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AggregationTemporality, DataPointType, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import pastelli, { memoryLog } from '../../index.ts'
import { METRICS } from '../../metrics/catalogue.ts'
import opentelemetry, { type OpenTelemetryOptions } from '../../metrics/opentelemetry.ts'
import { start, type ServerOptions, type Server } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Point { attributes: Record<string, unknown>, value: unknown }

// A provider of meters, and what it says when it is asked: by the name of the instrument.
function meters (t: Test): { provider: MeterProvider, collect: () => Promise<Map<string, { unit: string, type: DataPointType, points: Point[] }>> } {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 })] })
  t.teardown(() => provider.shutdown())
  const collect = async () => {
    exporter.reset()
    await provider.forceFlush()
    const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics).filter(({ scope }) => scope.name === 'pastelli').flatMap(({ metrics }) => metrics)
    return new Map(found.map(({ descriptor, dataPointType, dataPoints }) => [descriptor.name, { unit: descriptor.unit, type: dataPointType, points: dataPoints as Point[] }]))
  }
  return { provider, collect }
}

function spans (t: Test): { provider: BasicTracerProvider, ended: () => ReadableSpan[] } {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  t.teardown(() => provider.shutdown())
  return { provider, ended: () => exporter.getFinishedSpans() }
}

async function startWith (t: Test, telemetry: OpenTelemetryOptions, options: ServerOptions = {}): Promise<Server> {
  return await start(t, async (app) => {
    await app.register(opentelemetry, telemetry)
    app.stream('/users/:id', { topics: 'a' })
    app.stream('/error', async function * () {
      yield 1
      throw new Error('on purpose')
    })
  }, options)
}

// What an SDK for Node sets up.
class Contexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()
  active (): Context { return this.#storage.getStore() ?? ROOT_CONTEXT }
  with<Args extends unknown[], Fn extends (...args: Args) => ReturnType<Fn>> (active: Context, fn: Fn, self?: ThisParameterType<Fn>, ...args: Args): ReturnType<Fn> {
    return this.#storage.run(active, () => Reflect.apply(fn, self, args) as ReturnType<Fn>)
  }

  bind<Target> (_context: Context, target: Target): Target { return target }
  enable (): this { return this }
  disable (): this { return this }
}

context.setGlobalContextManager(new Contexts())

await t.test('the figures are those of the catalogue, with attributes, and of all apps that share the provider', async (t) => {
  const { provider, collect } = meters(t)
  const one = await startWith(t, { meterProvider: provider, traces: false })
  const other = await startWith(t, { meterProvider: provider, traces: false })
  const apart = await startWith(t, { meterProvider: meters(t).provider, traces: false })
  for (const { app, origin } of [one, other, apart]) {
    const client = await subscribe(t, origin, '/users/1')
    await app.topics.publish('a', 'für')
    await client.count(1)
  }
  const found = await collect()
  for (const { instrument, unit } of METRICS) t.equal(found.get(instrument)?.unit, unit, instrument)
  const stream = { 'pastelli.transport': 'http1', 'http.route': '/users/:id' }
  t.match(found.get('pastelli.connection.count'), { type: DataPointType.SUM, points: [{ attributes: stream, value: 2 }] })
  t.match(found.get('pastelli.sent.events')?.points, [{ attributes: stream, value: 2 }])
  t.match(found.get('pastelli.connection.buffered.max'), { type: DataPointType.GAUGE, points: [{ attributes: stream, value: 0 }] })
  t.match(found.get('pastelli.published.io')?.points, [{ attributes: {}, value: 8 }])
  t.match(found.get('pastelli.delivery.duration')?.points, [{ attributes: {}, value: { count: 2, buckets: { boundaries: [0.0001, 0.00025] } } }])
  await one.app.close()
  const after = await collect()
  t.match(after.get('pastelli.connection.count')?.points, [{ value: 1 }])
  t.match(after.get('pastelli.connection.opened')?.points, [{ value: 2 }])
  t.match(after.get('pastelli.connection.closed')?.points.filter(({ value }) => value !== 0), [{ attributes: { 'pastelli.close.reason': 'shutdown', 'http.route': '/users/:id' }, value: 1 }])
  t.match(after.get('pastelli.stream.duration')?.points, [{ attributes: { 'http.route': '/users/:id' }, value: { count: 1 } }])
  await other.app.close()
  const later = await startWith(t, { meterProvider: provider, traces: false })
  await subscribe(t, later.origin, '/users/1')
  t.match((await collect()).get('pastelli.connection.count')?.points, [{ value: 1 }], 'asked once, by the app that is there now')
})

await t.test('a stream is a span from open to end, below what is active when the response is taken over', async (t) => {
  const { provider, ended } = spans(t)
  const { collect, provider: meterProvider } = meters(t)
  const tracer = provider.getTracer('test')
  const { app, origin } = await startWith(t, { tracerProvider: provider, meterProvider, metrics: false }, {
    before: (app) => {
      app.addHook('onRequest', (_request, _reply, done) => {
        context.with(trace.setSpan(context.active(), tracer.startSpan('request')), done)
      })
    }
  })
  const other = await start(t, (app) => { app.stream('/users/:id', { topics: 'a' }) })
  await subscribe(t, other.origin, '/users/1')
  const { position } = app.topics
  for (let n = 0; n < 5; n++) await app.topics.publish('a', n)
  const client = await subscribe(t, origin, '/users/1', { lastEventId: position })
  await client.count(5)
  const [connection] = app.connections
  t.same(ended(), [], 'it is told when it ends')
  client.leave()
  const span = await until(() => ended()[0])
  t.match(span, {
    name: 'stream /users/:id',
    kind: SpanKind.INTERNAL,
    instrumentationScope: { name: 'pastelli' },
    attributes: {
      'http.route': '/users/:id',
      'pastelli.transport': 'http1',
      'pastelli.connection.id': connection?.id,
      'pastelli.close.reason': 'client',
      'pastelli.sent.events': connection?.events,
      'pastelli.sent.io': connection?.bytes
    },
    status: { code: SpanStatusCode.UNSET },
    events: [{ name: 'pastelli.replay', attributes: { 'pastelli.replay.events': 5, 'pastelli.replay.complete': true } }]
  })
  t.notOk('error.type' in span.attributes)
  t.ok(span.parentSpanContext?.spanId, 'it has a parent')
  t.equal(span.parentSpanContext?.traceId, span.spanContext().traceId)
  t.equal((await collect()).size, 0, 'without metrics')
  await other.app.close()
  t.equal(ended().length, 1, 'nothing of another app')
})

await t.test('a stream that fails is a span that says so', async (t) => {
  const { provider, ended } = spans(t)
  const { origin } = await startWith(t, { tracerProvider: provider, metrics: false })
  await (await subscribe(t, origin, '/error')).ended()
  const span = await until(() => ended()[0])
  t.match(span, { status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'error', 'pastelli.close.reason': 'error' } })
  t.equal(span.parentSpanContext, undefined)
})

await t.test('gaps and overflows are events of the span', async (t) => {
  const { provider, ended } = spans(t)
  const { app, port, origin } = await startWith(t, { tracerProvider: provider, metrics: false }, { pastelli: { log: memoryLog({ events: 20 }) } })
  const foreign = await subscribe(t, origin, '/users/1', { lastEventId: 'other:1' })
  await foreign.count(1)
  const witness = new Witness(app)
  const client = (await connect(t, port)).get('/users/2?lastEventId=x')
  await client.until('gap')
  client.pause()
  const slow = await witness.open()
  for (let n = 0; n < 1_000; n++) {
    await app.topics.publish('a', 'x'.repeat(10_000))
    if (n % 5 === 0) await new Promise(setImmediate)
  }
  await until(() => slow.cursor?.behindSince !== 0, 'it is behind')
  client.resume()
  const spanOf = (name: string) => ended().find(({ events }) => events.some((event) => event.name === name))
  const cut = await until(() => spanOf('pastelli.overflow'))
  t.match(cut.events.map(({ name, attributes }) => [name, attributes]), [
    ['pastelli.gap', { 'pastelli.gap.reason': 'malformed', 'pastelli.gap.from': undefined }],
    ['pastelli.replay', {}],
    ['pastelli.overflow', { 'pastelli.overflow.policy': 'disconnect' }]
  ])
  foreign.leave()
  await until(() => ended().length === 2)
  t.match(ended()[1]?.events[0], { name: 'pastelli.gap', attributes: { 'pastelli.gap.reason': 'foreign', 'pastelli.gap.from': 'other:1' } })
})

await t.test('the global providers are asked, and an app that has closed listens to nothing', async (t) => {
  const { provider, collect } = meters(t)
  const { provider: tracerProvider, ended } = spans(t)
  metrics.setGlobalMeterProvider(provider)
  trace.setGlobalTracerProvider(tracerProvider)
  t.teardown(() => {
    metrics.disable()
    trace.disable()
  })
  const { app, origin } = await startWith(t, {})
  await subscribe(t, origin, '/users/1')
  t.match((await collect()).get('pastelli.connection.count')?.points, [{ value: 1 }])
  await app.close()
  t.match(ended(), [{ attributes: { 'pastelli.close.reason': 'shutdown' } }])
  t.same(['open', 'close', 'overflow', 'gap', 'replay'].filter((name) => channel(`pastelli:connection:${name}`).hasSubscribers), [])
  t.same(['publish', 'delivery'].filter((name) => channel(`pastelli:topics:${name}`).hasSubscribers), [])
})

await t.test('without an SDK it is harmless', async (t) => {
  const { app, origin } = await startWith(t, {})
  const client = await subscribe(t, origin, '/users/1')
  await app.topics.publish('a', 1)
  await client.count(1)
  await app.close()
  t.same(client.data, ['1'])
})

await t.test('wrong options are refused, with what is wrong', async (t) => {
  const wrong: Array<[options: object, option: string]> = [
    [{ metrics: 1 }, 'metrics'], [{ traces: 'no' }, 'traces'], [{ meterProvider: {} }, 'meterProvider'], [{ meterProvider: null }, 'meterProvider'],
    [{ tracerProvider: true }, 'tracerProvider'], [{ meter: 1 }, 'meter']
  ]
  for (const [options, option] of wrong) {
    const app = fastify()
    await app.register(pastelli)
    await t.rejects(async () => { await app.register(opentelemetry, options) }, { code: 'PST_ERR_OPTION', message: `option "${option}"` }, JSON.stringify(options))
    await app.close()
  }
})
