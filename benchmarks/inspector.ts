/**
 * What it costs that somebody looks: with very many connections open, how long a snapshot and a page of the list keep the
 * event loop at once and in all, and that nothing is left when nobody looks. Prints one line, PASS or FAIL, and exits with 0 or 1.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './child.ts'
import type { Cost } from './inspector-server.ts'

const { values } = parseArgs({ options: { connections: { type: 'string', default: '10000' }, rounds: { type: 'string', default: '20' } } })
const count = Number(values.connections)

const LIFETIME = 120
// ms; a slice ends with the step that passes 4.
const LONGEST = 5

const server = new Child('inspector-server')
const clients: Child[] = []
try {
  const port = await server.ask<number>('port', 10_000)
  clients.push(new Child('readers', [String(port), '/feed', String(count), String(LIFETIME)]))
  await clients[0]?.ask('open', 60_000)
  await delay(500)
  const costs: Cost[] = []
  for (let round = 0; round < Number(values.rounds); round++) costs.push(await server.ask<Cost>('look', 20_000))
  const [snapshot, list, slice] = [median(costs.map(({ snapshot }) => snapshot)), median(costs.map(({ list }) => list)), median(costs.map(({ slice }) => slice))]
  const holds = slice <= LONGEST && costs.every(({ open }) => open === count)
  console.log(`${holds ? 'PASS' : 'FAIL (it keeps the event loop)'}: ${count} connections, medians of ${costs.length}, CPU: a snapshot ${snapshot.toFixed(1)} ms, a search and a sort of all ${list.toFixed(1)} ms, the longest slice ${slice.toFixed(1)} ms`)
  process.exitCode = holds ? 0 : 1
} finally {
  await Promise.all([server, ...clients].map((child) => child.stop()))
}

function median (numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number
}
