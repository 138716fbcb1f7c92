/** An app whose metrics are switched on and off: `metrics-node.js EVERY LIFETIME`: publishes every so many ms while it is told to; s. */
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import fastify from 'fastify'
import { Registry } from 'prom-client'
import pastelli from '../index.ts'
import { Instruments } from '../metrics/opentelemetry/instruments.ts'
import { Exposition } from '../metrics/prometheus/exposition.ts'
import type { App } from '../metrics/tally.ts'
import { answer } from './child.ts'
import { numbered } from './numbered.ts'

interface Kind {
  join: (app: App) => void
  leave: (app: App) => void
  read: () => Promise<unknown>
}

// Behind another kind's turn, ms.
const WARM_UP = 200

const [every = 0, lifetime = 0] = process.argv.slice(2).map(Number)

const app = fastify()
await app.register(pastelli)
let topics = 0
app.stream('/', { topics: 'feed' })
app.stream('/own', { topics: () => `own:${topics++}` })
await app.listen({ port: 0, host: '127.0.0.1' })

let published = 0

function prometheus (): Kind {
  const registry = new Registry()
  const exposition = Exposition.in(registry, '')
  return { join: (app) => { exposition.join(app) }, leave: (app) => { exposition.leave(app) }, read: () => registry.metrics() }
}

function opentelemetry (): Kind {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 })] })
  const instruments = Instruments.of(provider, 'pastelli')
  const read = async () => {
    await provider.forceFlush()
    exporter.reset()
  }
  return { join: (app) => { instruments.join(app) }, leave: (app) => { instruments.leave(app) }, read }
}

const off: Kind = { join () {}, leave () {}, async read () {} }
const kinds = { off, prometheus: prometheus(), opentelemetry: opentelemetry() }

// A topic for each, if there are any; else one for all.
function publish (): void {
  const data = numbered(published++)
  if (topics === 0) app.topics.publish('feed', data)
  for (let i = 0; i < topics; i++) app.topics.publish(`own:${i}`, data)
}

/** A second, with one look at the metrics in the middle. Answers what was published in it, and in all, and the CPU of it, ms. */
async function run ({ join, leave, read }: Kind): Promise<{ published: number, inAll: number, cpu: number }> {
  join(app)
  const timer = setInterval(publish, every)
  await delay(WARM_UP)
  const before = { published, cpu: process.cpuUsage() }
  await delay(500)
  await read()
  await delay(500)
  clearInterval(timer)
  await delay(50)
  leave(app)
  return { published: published - before.published, inAll: published, cpu: since(before.cpu) }
}

/** CPU, ms: of reading the metrics, and of the turn of the event loop that it held the longest, of another time. */
async function scrape ({ join, leave, read }: Kind): Promise<{ cpu: number, held: number }> {
  join(app)
  const before = process.cpuUsage()
  await read()
  const cpu = since(before)
  let held = 0
  let last = process.cpuUsage()
  let isDone = false
  const turn = () => {
    held = Math.max(held, since(last))
    last = process.cpuUsage()
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  await read()
  isDone = true
  await new Promise(setImmediate)
  leave(app)
  return { cpu, held }
}

function since (before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

answer({
  port: () => (app.server.address() as AddressInfo).port,
  ...Object.fromEntries(Object.entries(kinds).flatMap(([name, kind]) => [[`run ${name}`, () => run(kind)], [`scrape ${name}`, () => scrape(kind)]]))
}, lifetime * 1_000)
