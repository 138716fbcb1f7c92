/**
 * What metrics cost: the CPU of a delivery with them and without, side by side; and how long it takes to read them with many
 * connections, and holds the event loop. Prints PASS or FAIL, and exits with 0 or 1.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './child.ts'
import { Machine } from './machine.ts'
import type { Reading } from './readers.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    slices: { type: 'string', default: '6' },
    connections: { type: 'string', default: '1000' },
    idle: { type: 'string', default: '10000' }
  }
})
const connections = Number(values.connections)

const KINDS = ['off', 'prometheus', 'opentelemetry'] as const
const RATIO = 1.05
const SCRAPES = 30
// The CPU of a turn, ms.
const HELD = 5
const PATIENCE = 20_000

interface Bench { node: Child, clients: Child }

async function open (kind: string, path: string, count: number, every: number): Promise<Bench> {
  const lifetime = String(Number(values.slices) * 6 + 120)
  const node = new Child('metrics-node', [kind, String(every), lifetime])
  const clients = new Child('readers', [String(await node.ask<number>('port', 20_000)), path, String(count), lifetime])
  await clients.ask('open', 60_000)
  return { node, clients }
}

/** The CPU of a delivery, µs, by kind: the kinds take turns of a second, and the one that others disturbed the least counts. */
async function round (path: string, every: number): Promise<Record<string, number>> {
  const benches: Record<string, Bench> = {}
  try {
    for (const kind of KINDS) benches[kind] = await open(kind, path, connections, every)
    for (const kind of KINDS) await run(benches[kind] as Bench)
    const lowest: Record<string, number> = {}
    for (let slice = 0; slice < Number(values.slices); slice++) {
      for (const kind of turned(KINDS, slice)) {
        const { published, cpu } = await run(benches[kind] as Bench)
        lowest[kind] = Math.min(lowest[kind] ?? Infinity, cpu * 1_000 / published / connections)
      }
    }
    return lowest
  } finally {
    await Promise.all(Object.values(benches).flatMap(({ node, clients }) => [node.stop(), clients.stop()]))
  }
}

// Everybody comes first, in the middle, and last.
function turned<Kind> (kinds: readonly Kind[], by: number): Kind[] {
  const first = by % kinds.length
  return [...kinds.slice(first), ...kinds.slice(0, first)]
}

/** A second of it, which counts only if every client got everything. */
async function run ({ node, clients }: Bench): Promise<{ published: number, cpu: number }> {
  const figures = await node.ask<{ published: number, cpu: number }>('run', 10_000)
  const published = await node.ask<number>('published', 1_000)
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const { events, last, faults, gaps, ended } = await clients.ask<Reading>('read', 10_000)
    if (last === published - 1 && events === published * connections && faults.length + gaps + ended === 0) return figures
    if (performance.now() > deadline) throw new Error(`${events} of ${published * connections} events; ${gaps} gaps; ${ended} ended; ${faults.join()}`)
    await delay(5)
  }
}

async function scrapes (kind: string): Promise<Array<{ cpu: number, held: number }>> {
  const { node, clients } = await open(kind, '/', Number(values.idle), 1_000)
  try {
    await delay(500)
    const found = []
    for (let i = 0; i < SCRAPES; i++) found.push(await node.ask<{ cpu: number, held: number }>('scrape', 10_000))
    return found
  } finally {
    await Promise.all([node.stop(), clients.stop()])
  }
}

function median (numbers: number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] as number
}

const machine = new Machine([])
let holds = true
for (const [path, every, what] of [['/', 20, 'one topic for all'], ['/own', 100, 'a topic for each']] as const) {
  const rounds: Array<Record<string, number>> = []
  for (let i = 0; i < Number(values.rounds); i++) rounds.push(await round(path, every))
  const figures = (of: (round: Record<string, number>) => number | undefined) => rounds.map((round) => of(round) ?? NaN)
  console.log(`${connections} connections, ${what}: ${median(figures(({ off }) => off)).toFixed(2)} µs of CPU a delivery without metrics`)
  for (const kind of KINDS.slice(1)) {
    const ratios = figures((round) => (round[kind] ?? NaN) / (round.off ?? NaN))
    const ratio = median(ratios)
    if (path === '/') holds &&= ratio <= RATIO
    console.log(`  ${kind}: ratio ${ratio.toFixed(3)} (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`)
  }
}
for (const kind of KINDS.slice(1)) {
  const found = await scrapes(kind)
  const held = median(found.map(({ held }) => held))
  holds &&= held <= HELD
  console.log(`${values.idle} connections, ${kind}: to read them takes ${median(found.map(({ cpu }) => cpu)).toFixed(1)} ms of CPU, ` +
    `the first time ${(found[0]?.cpu ?? NaN).toFixed(1)}; a turn of the event loop ${held.toFixed(1)}, at most ${Math.max(...found.map(({ held }) => held)).toFixed(1)}`)
}
console.log(`${holds ? 'PASS' : 'FAIL'}; ${machine.others.toFixed(2)} cores taken by others and by the children`)
process.exitCode = holds ? 0 : 1
