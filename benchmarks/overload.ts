/**
 * Thousands of subscribers, and a publisher that never waits: how long the event loop is held, and whether every client gets
 * everything in order or is told what is missing. Prints one line, PASS or FAIL, and exits with 0 or 1.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './child.ts'
import { Machine } from './machine.ts'
import type { Tally } from './overload-server.ts'
import type { Reading } from './readers.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '10000' },
    burst: { type: 'string', default: '1' }
  }
})
const count = Number(values.connections)

const LIFETIME = Number(values.seconds) + 60
const LOOP_DELAY = 20
const PATIENCE = 20_000

/** What they have read as soon as that is everything, or when it is too late. */
async function complete (clients: Child, head: number): Promise<Reading> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const reading = await clients.ask<Reading>('read', 10_000)
    if (reading.offset === head || performance.now() > deadline) return reading
    await delay(50)
  }
}

function faults ({ last, head, p99 }: Tally, reading: Reading): string[] {
  const found: Array<[isFault: boolean, words: string]> = [
    [p99 >= LOOP_DELAY, 'the event loop was held'],
    [reading.faults.length !== 0, `missing without a word: ${reading.faults}`],
    [reading.ended !== 0, `${reading.ended} connections ended`],
    [reading.offset !== head, `somebody is at ${reading.offset} of ${head}`],
    [reading.gaps === 0 && reading.events !== (last + 1) * count, `${reading.events} events read of ${(last + 1) * count}`]
  ]
  return found.filter(([isFault]) => isFault).map(([, words]) => words)
}

function figures ({ last, turns, seconds, p50, p99, max, turnP50, turnP99, rss, peak }: Tally, { events, writes, reads, gaps, gapped }: Reading, took: number, cpu: number, others: number): string {
  return [
    `${count} subscribers, ${(last + 1)} events in ${turns} turns of ${seconds.toFixed(1)} s, ${took.toFixed(1)} s until all had them`,
    `loop delay p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms; CPU of a turn p50 ${turnP50.toFixed(1)}, p99 ${turnP99.toFixed(1)} ms`,
    `${(events / took / 1e6).toFixed(2)} M deliveries/s, ${(cpu / events).toFixed(2)} µs of CPU each`,
    `${(events / writes).toFixed(1)} events a write, ${(cpu / writes).toFixed(1)} µs each, ${(events / reads).toFixed(1)} a read`,
    `${gaps} gaps told to ${gapped} clients`,
    `${others.toFixed(2)} cores taken by others`,
    `RSS ${(rss / 2 ** 20).toFixed(0)} MiB + ${((peak - rss) / 2 ** 20).toFixed(0)}`
  ].join('; ')
}

const server = new Child('overload-server', [values.burst, String(LIFETIME)])
const children = [server]
try {
  const port = await server.ask<number>('port', 10_000)
  const clients = new Child('readers', [String(port), '/', values.connections, String(LIFETIME)])
  children.push(clients)
  await clients.ask('open', 30_000)
  const machine = new Machine(children.map(({ pid }) => pid))
  await server.ask('start', 1_000)
  const began = performance.now()
  await delay(Number(values.seconds) * 1_000)
  const { others } = machine
  const tally = await server.ask<Tally>('stop', 10_000)
  const reading = await complete(clients, tally.head)
  const took = (performance.now() - began) / 1_000
  const cpu = await server.ask<number>('cpu', 10_000)
  const found = faults(tally, reading)
  console.log(`${found.length === 0 ? 'PASS' : `FAIL (${found.join('; ')})`}: ${figures(tally, reading, took, cpu, others)}`)
  process.exitCode = found.length === 0 ? 0 : 1
} finally {
  await Promise.all(children.map((child) => child.stop()))
}
