/** Machines that hear a log, as far as Redis sees them: `tails-nodes.js REDIS_PORT COUNT LIFETIME`, in s. */
import { Redis } from 'ioredis'
import { redisLog } from '../logs/redis.ts'
import { answer } from './child.ts'

const [port = 0, count = 0, lifetime = 0] = process.argv.slice(2).map(Number)

let heard = 0

async function listen (): Promise<void> {
  const log = await redisLog({ client: new Redis(port, '127.0.0.1'), memory: { events: 100 } })
  const { head } = log
  log.follow(({ offset }) => { if (offset > head) heard++ })
}

await Promise.all(Array.from({ length: count }, listen))

answer({ ready: () => true, heard: () => heard }, lifetime * 1_000)
