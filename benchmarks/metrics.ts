/**
 * What metrics cost: the CPU of a delivery with them and without, in turns; and how long it takes to read them with many connections,
 * and holds the event loop. Prints PASS or FAIL, and exits with 0 or 1.
 */
import { loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './child.ts'
import type { Reading } from './readers.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    turns: { type: 'string', default: '8' },
    connections: { type: 'string', default: '1000' },
    idle: { type: 'string', default: '10000' }
  }
})
const connections = Number(values.connections)
const turns = Number(values.turns)

const KINDS = ['off', 'prometheus', 'opentelemetry'] as const
const RATIO = 1.05
const SCRAPES = 30
// The CPU of a turn of the event loop, ms.
const HELD = 5
const PATIENCE = 20_000
const LIFETIME = String(turns * 6 + 60)

type Kind = typeof KINDS[number]

interface Bench { node: Child, clients: Child }

async function open (path: string, count: number, every: number): Promise<Bench> {
  const node = new Child('metrics-node', [String(every), LIFETIME])
  const clients = new Child('readers', [String(await node.ask<number>('port', 20_000)), path, String(count), LIFETIME])
  await clients.ask('open', 60_000)
  return { node, clients }
}

/** The CPU of a delivery by kind, µs, of each time that all had their turn. */
async function round (path: string, every: number): Promise<Array<Record<Kind, number>>> {
  const bench = await open(path, connections, every)
  try {
    for (const kind of KINDS) await run(bench, kind)
    const found = []
    for (let i = 0; i < turns; i++) {
      const figures = { off: NaN, prometheus: NaN, opentelemetry: NaN }
      for (const kind of turned(KINDS, i)) figures[kind] = await run(bench, kind)
      found.push(figures)
    }
    return found
  } finally {
    await Promise.all([bench.node.stop(), bench.clients.stop()])
  }
}

// Everybody comes first, in the middle, and last.
function turned<Kind> (kinds: readonly Kind[], by: number): Kind[] {
  const first = by % kinds.length
  return [...kinds.slice(first), ...kinds.slice(0, first)]
}

/** A second of it, which counts only if every client got everything. */
async function run ({ node, clients }: Bench, kind: Kind): Promise<number> {
  const { published, inAll, cpu } = await node.ask<{ published: number, inAll: number, cpu: number }>(`run ${kind}`, 10_000)
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const { events, last, faults, gaps, ended } = await clients.ask<Reading>('read', 10_000)
    if (last === inAll - 1 && events === inAll * connections && faults.length + gaps + ended === 0) return cpu * 1_000 / published / connections
    if (performance.now() > deadline) throw new Error(`${events} of ${inAll * connections} events; ${gaps} gaps; ${ended} ended; ${faults.join()}`)
    await delay(5)
  }
}

/** The share of them below. */
function quantile (numbers: number[], share: number): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor((numbers.length - 1) * share)] as number
}

let holds = true
for (const [path, every, what] of [['/', 20, 'one topic for all'], ['/own', 100, 'a topic for each']] as const) {
  const found: Array<Record<Kind, number>> = []
  for (let i = 0; i < Number(values.rounds); i++) found.push(...await round(path, every))
  console.log(`${connections} connections, ${what}: ${quantile(found.map(({ off }) => off), 0.5).toFixed(2)} µs of CPU a delivery without metrics`)
  for (const kind of KINDS.slice(1)) {
    const ratios = found.map((figures) => figures[kind] / figures.off)
    if (path === '/') holds &&= quantile(ratios, 0.5) <= RATIO
    console.log(`  ${kind}: ratio ${quantile(ratios, 0.5).toFixed(3)} (half of ${ratios.length} turns: ${quantile(ratios, 0.25).toFixed(3)} to ${quantile(ratios, 0.75).toFixed(3)})`)
  }
}
for (const kind of KINDS.slice(1)) {
  const { node, clients } = await open('/', Number(values.idle), 1_000)
  try {
    const found: Array<{ cpu: number, held: number }> = []
    while (found.length < SCRAPES) found.push(await node.ask(`scrape ${kind}`, 10_000))
    const held = found.map(({ held }) => held)
    holds &&= quantile(held, 0.5) <= HELD
    console.log(`${values.idle} connections, ${kind}: to read them takes ${quantile(found.map(({ cpu }) => cpu), 0.5).toFixed(1)} ms of CPU, the first time ` +
      `${(found[0]?.cpu ?? NaN).toFixed(1)}; a turn of the event loop ${quantile(held, 0.5).toFixed(1)}, at most ${Math.max(...held).toFixed(1)}`)
  } finally {
    await Promise.all([node.stop(), clients.stop()])
  }
}
console.log(`${holds ? 'PASS' : 'FAIL'}; load ${loadavg()[0]?.toFixed(1)}`)
process.exitCode = holds ? 0 : 1
