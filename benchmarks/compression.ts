/**
 * What compression costs and saves: many subscribers to one feed, by each coding, beside a compressor of its own for every
 * client. Prints a table; exits with 1 if anything is missing.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import zlib from 'node:zlib'
import { Child } from './child.ts'
import type { Received } from './compression-clients.ts'
import type { Cost, Way } from './compression-server.ts'
import { Machine } from './machine.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '200' },
    rate: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '3' }
  }
})
const seconds = Number(values.seconds)
const connections = Number(values.connections)

const LIFETIME = seconds + 30
const PATIENCE = 10_000
const WAYS: Way[] = ['none', 'each', 'gzip', 'br', ...'createZstdCompress' in zlib ? ['zstd' as const] : []]

interface Run { cpu: number, bytes: number, size: number, rss: number, others: number, isWhole: boolean }

async function run (way: Way): Promise<Run> {
  const server = new Child('compression-server', [way, values.rate, String(LIFETIME)])
  const children = [server]
  try {
    const port = await server.ask<number>('port', 10_000)
    const clients = new Child('compression-clients', [String(port), way === 'each' ? 'gzip' : way, values.connections, String(LIFETIME)])
    children.push(clients)
    await clients.ask('open', 20_000)
    const machine = new Machine(children.map(({ pid }) => pid))
    await server.ask('start', 1_000)
    await delay(seconds * 1_000)
    const { events, size, cpu, rss } = await server.ask<Cost>('stop', 5_000)
    const { others } = machine
    const deadline = performance.now() + PATIENCE
    let received = await clients.ask<Received>('received', 5_000)
    while (received.last < events && performance.now() < deadline) {
      await delay(50)
      received = await clients.ask<Received>('received', 5_000)
    }
    const deliveries = events * connections
    return { cpu: cpu / deliveries, bytes: received.bytes / deliveries, size: size / events, rss: rss / 2 ** 20, others, isWhole: received.last === events }
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}

function median (runs: Run[], figure: (run: Run) => number): number {
  const sorted = runs.map(figure).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] as number
}

const runs = new Map<Way, Run[]>(WAYS.map((way) => [way, []]))
for (let round = 0; round < Number(values.rounds); round++) {
  for (const way of WAYS) runs.get(way)?.push(await run(way))
}
console.log(`${connections} subscribers, ${values.rate} events a second of ${median([...runs.values()].flat(), ({ size }) => size).toFixed(0)} bytes; medians of ${values.rounds} rounds of ${seconds} s`)
console.log('| way | bytes a delivery | µs of CPU a delivery | RSS, MiB | cores taken by others |')
console.log('|---|--:|--:|--:|--:|')
for (const [way, own] of runs) {
  const figures = [median(own, ({ bytes }) => bytes).toFixed(1), median(own, ({ cpu }) => cpu).toFixed(1), median(own, ({ rss }) => rss).toFixed(0), median(own, ({ others }) => others).toFixed(2)]
  console.log(`| ${way} | ${figures.join(' | ')} |`)
}
const isWhole = [...runs.values()].flat().every(({ isWhole }) => isWhole)
if (!isWhole) console.log('FAIL: somebody did not get everything in order')
process.exitCode = isWhole ? 0 : 1
