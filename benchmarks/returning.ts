/**
 * Thousands of clients come back at once, to places that a node has not in memory: how often Redis is read for them, what that
 * takes of memory, and whether each gets what is his. Starts a redis-server of its own. Prints one line, PASS or FAIL.
 */
import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { freePort } from '../test/support/free-port.ts'
import { locate } from '../test/support/programs.ts'
import { Child } from './child.ts'
import type { Return } from './returning-clients.ts'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '5000' },
    events: { type: 'string', default: '1500' },
    places: { type: 'string', default: '500' }
  }
})
const count = Number(values.connections)

const LIFETIME = '90'
const PATIENCE = 60_000
// A hundredth of what reads of their own would be.
const MAX_READS = count / 100
// What is under way to them, and as much again for the collector.
const MAX_GROWTH = 512

async function readsOf (redis: Redis): Promise<number> {
  return Number(/cmdstat_xrange:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)
}

/** What they have got as soon as that is everything, or when it is too late; and the most memory that the node has taken, MiB. */
async function complete (node: Child, clients: Child): Promise<{ found: Return, most: number }> {
  const deadline = performance.now() + PATIENCE
  for (let most = 0; ;) {
    most = Math.max(most, await node.ask<number>('rss', 20_000))
    const found = await clients.ask<Return>('read', 20_000)
    if (found.complete === count || performance.now() > deadline) return { found, most }
    await delay(50)
  }
}

const redisPort = await freePort()
const server = spawn(locate(['redis-server']), ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', ''], { stdio: 'ignore' })
const redis = new Redis(redisPort, '127.0.0.1')
redis.on('error', () => {})
const node = new Child('returning-node', [String(redisPort), values.events, values.places, LIFETIME])
const children = [node]
try {
  const port = await node.ask<number>('port', 20_000)
  const clients = new Child('returning-clients', [String(port), String(count), LIFETIME])
  children.push(clients)
  const before = await node.ask<number>('rss', 10_000)
  const reads = await readsOf(redis)
  const began = performance.now()
  await clients.ask('return', 60_000)
  const { found, most } = await complete(node, clients)
  const seconds = (performance.now() - began) / 1_000
  const made = await readsOf(redis) - reads
  const isGood = found.complete === count && found.faults.length + found.gaps === 0 && made <= MAX_READS && most - before <= MAX_GROWTH
  console.log(`${isGood ? 'PASS' : 'FAIL'}: ${found.complete} of ${count} clients have all that they missed after ${seconds.toFixed(1)} s, ${found.events} events; ` +
    `${made} reads of Redis; the node took ${(most - before).toFixed(0)} MiB more, ${(before).toFixed(0)} before; ${found.gaps} gaps; faults: ${found.faults.join() || 'none'}`)
  process.exitCode = isGood ? 0 : 1
} finally {
  await Promise.all(children.map((child) => child.stop()))
  redis.disconnect()
  server.kill()
}
