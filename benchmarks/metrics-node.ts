/**
 * An app with metrics or without: `metrics-node.js KIND EVERY LIFETIME`: `off`, `prometheus` or `opentelemetry`; publishes every so many ms
 * while it is told to; s.
 */
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import fastify from 'fastify'
import { Registry } from 'prom-client'
import pastelli from '../index.ts'
import opentelemetry from '../metrics/opentelemetry.ts'
import metrics from '../metrics/prometheus.ts'
import { answer } from './child.ts'
import { numbered } from './numbered.ts'

// Behind the other kinds' turns what it needs is not in the caches any more: without this, who never had two turns in a row
// seemed 12 % dearer (2026-11). ms
const WARM_UP = 400

const [kind = 'off', every = '20', lifetime = '0'] = process.argv.slice(2)

const app = fastify()
await app.register(pastelli)
const read = await measure()
let topics = 0
app.stream('/', { topics: 'feed' })
app.stream('/own', { topics: () => `own:${topics++}` })
await app.listen({ port: 0, host: '127.0.0.1' })

let published = 0

/** Answers how to read the metrics. */
async function measure (): Promise<() => Promise<unknown>> {
  if (kind === 'prometheus') {
    const registry = new Registry()
    await app.register(metrics, { registers: [registry] })
    return () => registry.metrics()
  }
  if (kind === 'opentelemetry') {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const meterProvider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 })] })
    await app.register(opentelemetry, { meterProvider, traces: false })
    return async () => {
      await meterProvider.forceFlush()
      exporter.reset()
    }
  }
  return async () => {}
}

// A topic for each, if there are any; else one for all.
function publish (): void {
  const data = numbered(published++)
  if (topics === 0) app.topics.publish('feed', data)
  for (let i = 0; i < topics; i++) app.topics.publish(`own:${i}`, data)
}

/** For a second, with one look at the metrics in the middle. Answers what was published in it, and the CPU of that, ms. */
async function run (): Promise<{ published: number, cpu: number }> {
  const timer = setInterval(publish, Number(every))
  await delay(WARM_UP)
  const before = { published, cpu: process.cpuUsage() }
  await delay(500)
  await read()
  await delay(500)
  clearInterval(timer)
  await delay(50)
  return { published: published - before.published, cpu: since(before.cpu) }
}

/** CPU, ms: of reading the metrics, and of the turn of the event loop that it held the longest, of another time. */
async function scrape (): Promise<{ cpu: number, held: number }> {
  const cpu = await cpuOf(read)
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
  return { cpu, held }
}

async function cpuOf (work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  return since(before)
}

function since (before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

answer({
  port: () => (app.server.address() as AddressInfo).port,
  published: () => published,
  run,
  scrape
}, Number(lifetime) * 1_000)
