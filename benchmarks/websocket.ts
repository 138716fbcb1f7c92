/**
 * What an event costs that goes to many WebSockets, beside a `send` of `ws` for each. Prints one line, and exits with 1 if
 * anything is missing.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './child.ts'
import { Machine } from './machine.ts'
import type { Flood, Way } from './websocket-server.ts'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' }
  }
})
const connections = Number(values.connections)

const LIFETIME = 60
const PATIENCE = 10_000
const WARM_UP = 60
const EVENTS = 200

interface Run { cpu: number, rate: number, others: number }

async function run (way: Way): Promise<Run> {
  const server = new Child('websocket-server', [way, String(LIFETIME)])
  const children = [server]
  try {
    const port = await server.ask<number>('port', 10_000)
    const clients = new Child('websocket-clients', [String(port), values.connections, String(LIFETIME)])
    children.push(clients)
    await clients.ask('open', 20_000)
    await server.ask('warm up', 20_000)
    await whole(clients, WARM_UP)
    const machine = new Machine(children.map(({ pid }) => pid))
    const { cpu, took } = await server.ask<Flood>('flood', 30_000)
    const { others } = machine
    await whole(clients, WARM_UP + EVENTS)
    return { cpu: cpu / EVENTS / connections, rate: EVENTS * connections / took * 1_000, others }
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}

/** Resolves once every client has all events. */
async function whole (clients: Child, events: number): Promise<void> {
  const deadline = performance.now() + PATIENCE
  let seen = 0
  while (performance.now() < deadline) {
    seen = await clients.ask<number>('events', 5_000)
    if (seen === events * connections) break
    await delay(20)
  }
  if (seen !== events * connections || !await clients.ask<boolean>('order', 5_000)) throw new Error(`${seen} events arrived of ${events * connections}`)
}

function median (figures: number[]): number {
  return figures.sort((a, b) => a - b)[Math.floor(figures.length / 2)] as number
}

const runs: Record<Way, Run[]> = { ws: [], pastelli: [] }
for (let round = 0; round < Number(values.rounds); round++) {
  runs.ws.push(await run('ws'))
  runs.pastelli.push(await run('pastelli'))
}
const ratios = runs.pastelli.map(({ cpu }, round) => cpu / (runs.ws[round] as Run).cpu)
const figures = (way: Way) => `${way} ${median(runs[way].map(({ cpu }) => cpu)).toFixed(2)} µs of CPU a delivery, ${(median(runs[way].map(({ rate }) => rate)) / 1_000).toFixed(0)} k/s`
const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)]
console.log(`${connections} WebSockets, medians of ${values.rounds} rounds: ${figures('ws')}; ${figures('pastelli')}; ratio ${median(ratios).toFixed(2)} (${lowest.toFixed(2)}–${highest.toFixed(2)}); ${median([...runs.ws, ...runs.pastelli].map(({ others }) => others)).toFixed(2)} cores taken by others`)
