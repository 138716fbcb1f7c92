/** One machine: `redis-node.js PORT LIFETIME`, in s: an app whose log is in Redis on that port; in memory if that is 0. */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import pastelli, { memoryLog } from '../index.ts'
import { redisLog } from '../logs/redis.ts'
import { answer } from './child.ts'
import { numbered } from './numbered.ts'

const EVERY = 20

const [redisPort = 0, lifetime = 0] = process.argv.slice(2).map(Number)
const client = redisPort === 0 ? null : new Redis(redisPort, '127.0.0.1')

const app = fastify()
await app.register(pastelli, { log: client === null ? memoryLog() : await redisLog({ client, events: 1_000_000 }) })
app.stream('/', { topics: 'feed' })
await app.listen({ port: 0, host: '127.0.0.1' })

let published = 0
let timer: NodeJS.Timeout | undefined
let cpu = process.cpuUsage()

answer({
  port: () => (app.server.address() as AddressInfo).port,
  start: () => {
    cpu = process.cpuUsage()
    timer = setInterval(() => { void app.topics.publish('feed', numbered(published++)) }, EVERY)
  },
  stop: () => {
    clearInterval(timer)
    return published
  },
  cpu: () => {
    const { user, system } = process.cpuUsage(cpu)
    return user + system
  }
}, lifetime * 1_000)
