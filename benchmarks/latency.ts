/**
 * How long an event takes from a publish at one node to a client of another, beside what the engine itself takes: the shortest
 * question, and an append without a log. Starts the engines itself; in each round all of them have their turn.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './child.ts'
import type { RoundTrips } from './engine-node.ts'
import { type Engine, ENGINES, engineOf, type Running, startEngine } from './engines.ts'
import { Machine } from './machine.ts'
import type { Reading } from './readers.ts'
import type { Times } from './stopwatch.ts'

const { values } = parseArgs({
  options: {
    engines: { type: 'string', default: ENGINES.join() },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '10' }
  }
})
const engines = values.engines.split(',').map(engineOf)
const seconds = Number(values.seconds)

const LIFETIME = String(seconds + 60)
const WARM_UP = 1_000

type Step = keyof RoundTrips | 'receipt'
interface Run extends RoundTrips { receipt: Times, others: number }

/** One node publishes, fifty times a second; the clients are at another one, or, with the log in memory, at the same. */
async function run (engine: Engine, { port: enginePort, pids }: Running): Promise<Run> {
  const args = [engine, String(enginePort), LIFETIME]
  const near = new Child('engine-node', args)
  const far = engine === 'memory' ? near : new Child('engine-node', args)
  const children = [near, far]
  try {
    await near.ask('port', 10_000)
    const clients = new Child('readers', [String(await far.ask('port', 10_000)), '/', values.connections, LIFETIME])
    children.push(clients)
    await clients.ask('open', 10_000)
    await near.ask('start and ask', 1_000)
    await delay(WARM_UP)
    const machine = new Machine([...new Set([...children.map(({ pid }) => pid), ...pids])])
    await near.ask('mark', 1_000)
    await clients.ask('mark', 1_000)
    await delay(seconds * 1_000)
    const published = await near.ask<number>('stop', 1_000)
    const { others } = machine
    const receipt = await whole(clients, published)
    return { ...await near.ask<RoundTrips>('times', 1_000), receipt, others }
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}

/** What they have seen, once it is everything. */
async function whole (clients: Child, published: number): Promise<Times> {
  for (let tries = 0; tries < 500; tries++) {
    const { events, faults, gaps, ended, last, p50, p99 } = await clients.ask<Reading>('read', 1_000)
    if (faults.length + gaps + ended !== 0) throw new Error(`${gaps} gaps; ${ended} ended; ${faults.join()}`)
    if (last === published - 1 && events === published * Number(values.connections)) return { p50, p99 }
    await delay(10)
  }
  throw new Error('events are missing')
}

function median (figures: number[]): number {
  return figures.sort((one, other) => one - other)[figures.length >> 1] as number
}

const running = new Map<Engine, Running>()
try {
  for (const engine of engines) running.set(engine, await startEngine(engine))
  const runs = new Map<Engine, Run[]>(engines.map((engine) => [engine, []]))
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const engine of engines) runs.get(engine)?.push(await run(engine, running.get(engine) as Running))
  }
  console.log('| p50 / p99, ms | a PING | an append | publish, until it answers | publish to receipt | cores taken by others |\n|---|--:|--:|--:|--:|--:|')
  for (const [engine, own] of runs) {
    const cell = (step: Step) => `${median(own.map((run) => run[step].p50)).toFixed(2)} / ${median(own.map((run) => run[step].p99)).toFixed(2)}`
    const asked = engine === 'memory' ? '| |' : `${cell('ping')} | ${cell('append')} |`
    console.log(`| ${engine} | ${asked} ${cell('publish')} | ${cell('receipt')} | ${median(own.map(({ others }) => others)).toFixed(2)} |`)
  }
} finally {
  for (const { stop } of running.values()) await stop()
}
