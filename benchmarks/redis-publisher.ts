/** A worker that publishes as fast as Redis takes it: `redis-publisher.js PORT LIFETIME`, in s. */
import { Redis } from 'ioredis'
import { publisher, redisLog } from '../logs/redis.ts'
import { answer } from './child.ts'
import { numbered } from './numbered.ts'

// So much is under way at once: the next batches are there when one is taken.
const BURST = 250
const UNDER_WAY = 4

const [port = 0, lifetime = 0] = process.argv.slice(2).map(Number)
const client = new Redis(port, '127.0.0.1')
const { publish } = publisher(await redisLog({ client, events: 1_000_000 }))
let published = 0
let isPublishing = false
let began = 0

async function flood (): Promise<void> {
  if (!isPublishing) return
  await Promise.all(Array.from({ length: BURST }, () => publish('feed', numbered(published++))))
  void flood()
}

answer({
  ping: async () => {
    const times: number[] = []
    for (let i = 0; i < 500; i++) {
      const asked = performance.now()
      await client.ping()
      times.push(performance.now() - asked)
    }
    times.sort((one, other) => one - other)
    return { p50: times[250], p99: times[495] }
  },
  start: () => {
    isPublishing = true
    began = performance.now()
    for (let i = 0; i < UNDER_WAY; i++) void flood()
  },
  stop: () => {
    isPublishing = false
    return { published, seconds: (performance.now() - began) / 1_000 }
  }
}, lifetime * 1_000)
