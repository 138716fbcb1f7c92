/**
 * A node that has only the newest events in memory, or, without a Redis, all there are: `returning-node.js REDIS_PORT EVENTS PLACES LIFETIME`,
 * in s; port 0: there is none.
 */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import pastelli, { memoryLog } from '../index.ts'
import { redisLog } from '../logs/redis.ts'
import { answer } from './child.ts'
import { numbered } from './numbered.ts'

const IN_MEMORY = 100

const [redisPort = 0, events = 0, places = 0, lifetime = 0] = process.argv.slice(2).map(Number)

const app = fastify()
const log = redisPort === 0 ? memoryLog() : await redisLog({ client: new Redis(redisPort, '127.0.0.1'), memory: { events: IN_MEMORY } })
await app.register(pastelli, { log })
const ids: string[] = []
for (let n = 0; n < events; n++) ids.push(await app.topics.publish('feed', numbered(n)))
app.stream('/', { topics: 'feed' })
app.get('/places', () => ({ last: events - 1, places: ids.slice(0, places) }))
await app.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })

// The longest turn of the event loop since the mark, ms of CPU: what others take of the machine does not count.
let held = 0
let isWatching = false

function watch (before: NodeJS.CpuUsage): void {
  const { user, system } = process.cpuUsage(before)
  held = Math.max(held, (user + system) / 1_000)
  if (isWatching) setImmediate(watch, process.cpuUsage())
}

answer({
  mark: () => {
    isWatching = true
    watch(process.cpuUsage())
  },
  held: () => {
    isWatching = false
    return held
  },
  port: () => (app.server.address() as AddressInfo).port,
  rss: () => process.memoryUsage().rss / 2 ** 20
}, lifetime * 1_000)
