/**
 * What the plugin costs an app: requests a second, and the server's CPU time for each, of a plain route and of a stream that
 * opens, sends two events and ends, with Pastelli and by Fastify alone. The two take turns; each round gives one ratio, so a
 * machine that slows down does not matter.
 */
import { parseArgs } from 'node:util'
import autocannon from 'autocannon'
import { Child } from './child.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '50' }
  }
})
const rounds = Number(values.rounds)
const duration = Number(values.seconds)
const connections = Number(values.connections)

const WARM_UP = 1
const ROUTES = ['/plain', '/stream']

interface App { server: Child, origin: string }

async function start (kind: string): Promise<App> {
  const server = new Child('autocannon-server', [kind])
  return { server, origin: `http://127.0.0.1:${await server.ask<number>('port', 10_000)}` }
}

/** Requests a second, and µs of the server's CPU for each. */
interface Load { rate: number, cpu: number }

async function load ({ server, origin }: App, route: string, seconds: number): Promise<Load> {
  const before = await server.ask<NodeJS.CpuUsage>('cpu', 5_000)
  const { requests, duration: took, errors, non2xx } = await autocannon({ url: origin + route, connections, duration: seconds })
  const after = await server.ask<NodeJS.CpuUsage>('cpu', 5_000)
  if (errors + non2xx !== 0) throw new Error(`${route}: ${errors} errors, ${non2xx} answers that are not 2xx`)
  const cpu = after.user + after.system - before.user - before.system
  return { rate: requests.total / took, cpu: cpu / requests.total }
}

/** The loads of both, in turns, who begins alternating. */
async function compare (route: string): Promise<{ bare: Load[], pastelli: Load[] }> {
  const loads: { bare: Load[], pastelli: Load[] } = { bare: [], pastelli: [] }
  for (const app of Object.values(apps)) await load(app, route, WARM_UP)
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? ['bare', 'pastelli'] as const : ['pastelli', 'bare'] as const
    for (const kind of order) loads[kind].push(await load(apps[kind], route, duration))
  }
  return loads
}

function row (route: string, what: keyof Load, unit: string, digits: number, { bare, pastelli }: { bare: Load[], pastelli: Load[] }): string {
  const ratios = pastelli.map((load, round) => load[what] / (bare[round] as Load)[what])
  const middle = (loads: Load[]) => median(loads.map((load) => load[what])).toFixed(digits)
  const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  return `| ${route}, ${unit} | ${middle(bare)} | ${middle(pastelli)} | ${median(ratios).toFixed(2)} | ${spread} |`
}

function median (numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return ((sorted[middle] as number) + (sorted[sorted.length - 1 - middle] as number)) / 2
}

const apps = { bare: await start('bare'), pastelli: await start('pastelli') }
try {
  console.log(`${rounds} rounds of ${duration} s, ${connections} connections, Node ${process.version}\n`)
  console.log('| medians | Fastify alone | with Pastelli | ratio | its spread |\n|---|--:|--:|--:|--:|')
  for (const route of ROUTES) {
    const loads = await compare(route)
    console.log(row(route, 'rate', 'req/s', 0, loads))
    console.log(row(route, 'cpu', 'µs of CPU', 1, loads))
  }
} finally {
  await Promise.all(Object.values(apps).map(({ server }) => server.stop()))
}
