/**
 * What a subscription costs a connection that gets nothing: resident memory of a fresh server by connection, subscribed and not, in
 * turns. Prints one line, PASS or FAIL, and exits with 0 or 1.
 */
import { parseArgs } from 'node:util'
import { Child } from './child.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '10000' }
  }
})
const count = Number(values.connections)

const PATHS = ['/bare', '/subscribed', '/own'] as const
const WARM_UP = 300
const LIFETIME = 60
const RATIO = 1.1

/** KiB by connection. */
async function measure (path: string): Promise<number> {
  const server = new Child('idle-memory-server', [], ['--expose-gc'])
  const children = [server]
  try {
    const port = await server.ask<number>('port', 10_000)
    const enter = async (count: number) => {
      const clients = new Child('readers', [String(port), path, String(count), String(LIFETIME)])
      children.push(clients)
      await clients.ask('open', 30_000)
      return clients
    }
    await (await enter(WARM_UP)).stop()
    const before = await server.ask<number>('rss', 10_000)
    await enter(count)
    const after = await server.ask<number>('rss', 10_000)
    return (after - before) / count / 1024
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}

function median (numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number
}

const found = new Map<string, number[]>(PATHS.map((path) => [path, []]))
for (let round = 0; round < Number(values.rounds); round++) {
  for (const path of PATHS) found.get(path)?.push(await measure(path))
}
const [bare = NaN, subscribed = NaN, own = NaN] = [...found.values()].map(median)
const holds = subscribed / bare <= RATIO
console.log(`${holds ? 'PASS' : 'FAIL (a subscription is too dear)'}: ${count} idle connections, medians of ${values.rounds}: ${bare.toFixed(1)} KiB each, subscribed ${subscribed.toFixed(1)} KiB (${(subscribed / bare).toFixed(2)} ×), with a topic of its own ${own.toFixed(1)} KiB (${(own / bare).toFixed(2)} ×)`)
process.exitCode = holds ? 0 : 1
