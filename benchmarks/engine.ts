/**
 * What a log on an engine costs: the CPU of a delivery beside the memory log, and how many events a second go through it to one
 * subscriber. Starts the engine itself.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './child.ts'
import { type Engine, engineOf, startEngine } from './engines.ts'
import type { Reading } from './readers.ts'

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'redis' },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '1000' }
  }
})
const engine = engineOf(values.engine)
const seconds = Number(values.seconds)

const LIFETIME = String(seconds + 60)
const PATIENCE = 20_000

interface FanOut { cpu: number, reading: Reading }

/** A node with subscribers, to whom it publishes fifty times a second. */
async function fanOut (engine: Engine, enginePort: number): Promise<FanOut> {
  const node = new Child('engine-node', [engine, String(enginePort), LIFETIME])
  const port = await node.ask<number>('port', 10_000)
  const clients = new Child('readers', [String(port), '/', values.connections, LIFETIME])
  try {
    await clients.ask('open', 20_000)
    await node.ask('start', 1_000)
    await delay(1_000)
    await clients.ask('mark', 1_000)
    await delay(seconds * 1_000)
    const published = await node.ask<number>('stop', 1_000)
    const reading = await complete(clients, published)
    check(reading, published * Number(values.connections))
    return { cpu: await node.ask<number>('cpu', 1_000) / reading.events, reading }
  } finally {
    await Promise.all([node.stop(), clients.stop()])
  }
}

/** A worker publishes, a node hears it, and one subscriber reads it. */
async function through (enginePort: number): Promise<string> {
  const node = new Child('engine-node', [engine, String(enginePort), LIFETIME])
  const worker = new Child('engine-publisher', [engine, String(enginePort), LIFETIME])
  const port = await node.ask<number>('port', 10_000)
  const clients = new Child('readers', [String(port), '/', '1', LIFETIME])
  try {
    await clients.ask('open', 5_000)
    await worker.ask('start', 1_000)
    const began = performance.now()
    await delay(seconds * 1_000)
    const { published, seconds: took } = await worker.ask<{ published: number, seconds: number }>('stop', PATIENCE)
    const reading = await complete(clients, published)
    const until = (performance.now() - began) / 1_000
    check(reading, published)
    return `${Math.round(published / took)} events/s published, ${Math.round(published / until)} events/s read by one subscriber`
  } finally {
    await Promise.all([node.stop(), clients.stop(), worker.stop()])
  }
}

async function complete (clients: Child, published: number): Promise<Reading> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const reading = await clients.ask<Reading>('read', 10_000)
    if (reading.last === published - 1 || performance.now() > deadline) return reading
    await delay(5)
  }
}

function check ({ events, faults, gaps, ended }: Reading, expected: number): void {
  if (events !== expected || faults.length + gaps + ended !== 0) throw new Error(`${events} of ${expected} events; ${gaps} gaps; ${ended} ended; ${faults.join()}`)
}

function median (numbers: number[]): number {
  return numbers.sort((one, other) => one - other)[numbers.length >> 1] as number
}

const running = await startEngine(engine)
try {
  const rounds: Array<{ memory: FanOut, remote: FanOut }> = []
  for (let round = 0; round < Number(values.rounds); round++) rounds.push({ memory: await fanOut('memory', 0), remote: await fanOut(engine, running.port) })
  const ratios = rounds.map(({ memory, remote }) => remote.cpu / memory.cpu)
  const of = (figure: (fanOut: FanOut) => number, log: 'memory' | 'remote') => median(rounds.map((round) => figure(round[log]))).toFixed(2)
  console.log(`CPU of a delivery to ${values.connections} subscribers: ${of(({ cpu }) => cpu, 'memory')} µs with the memory log, ${of(({ cpu }) => cpu, 'remote')} µs with ${engine}; ` +
    `ratio ${median([...ratios]).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`)
  for (const log of ['memory', 'remote'] as const) {
    console.log(`publish to receipt, ${log}: p50 ${of(({ reading }) => reading.p50, log)}, p99 ${of(({ reading }) => reading.p99, log)} ms`)
  }
  console.log(await through(running.port))
} finally {
  await running.stop()
}
