/**
 * What each machine that hears the log costs Redis: its CPU by event, with one machine that listens and with many. Starts a
 * redis-server of its own.
 */
import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { freePort } from '../test/support/free-port.ts'
import { locate } from '../test/support/programs.ts'
import { redisLog } from '../logs/redis.ts'
import { Child } from './child.ts'
import { numbered } from './numbered.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    nodes: { type: 'string', default: '1,10,50' },
    rates: { type: 'string', default: '100,1000,5000' }
  }
})

const LIFETIME = '120'
const TICK = 10

async function cpuOf (redis: Redis): Promise<number> {
  const info = await redis.info('cpu')
  return [/used_cpu_sys:([\d.]+)/, /used_cpu_user:([\d.]+)/].reduce((sum, name) => sum + Number(name.exec(info)?.[1]), 0)
}

/** µs of Redis for an event, while so many listen. */
async function measure (port: number, redis: Redis, nodes: number, rate: number): Promise<{ cpu: number, heard: number, published: number }> {
  const listeners = new Child('tails-nodes', [String(port), String(nodes), LIFETIME])
  const log = await redisLog({ client: redis })
  try {
    await listeners.ask('ready', 20_000)
    const before = await cpuOf(redis)
    const ends = performance.now() + Number(values.seconds) * 1_000
    const publishes: Array<Promise<string>> = []
    for (let began = performance.now(); performance.now() < ends;) {
      while (publishes.length < (performance.now() - began) * rate / 1_000) {
        publishes.push(log.append({ topic: 'feed', data: numbered(publishes.length), json: true }) as Promise<string>)
      }
      await delay(TICK)
    }
    await Promise.all(publishes)
    const cpu = await cpuOf(redis) - before
    await delay(500)
    return { cpu: cpu / publishes.length * 1e6, heard: await listeners.ask<number>('heard', 20_000), published: publishes.length }
  } finally {
    await listeners.stop()
  }
}

const port = await freePort()
const server = spawn(locate(['redis-server']), ['--port', String(port), '--bind', '127.0.0.1', '--save', ''], { stdio: 'ignore' })
const redis = new Redis(port, '127.0.0.1')
redis.on('error', () => {})
try {
  for (const rate of values.rates.split(',').map(Number)) {
    for (const nodes of values.nodes.split(',').map(Number)) {
      const { cpu, heard, published } = await measure(port, redis, nodes, rate)
      if (heard !== published * nodes) throw new Error(`${nodes} machines heard ${heard} of ${published * nodes}`)
      console.log(`${rate} events/s, ${nodes} machines: ${cpu.toFixed(1)} µs of Redis for an event, ${(cpu / nodes).toFixed(2)} for each machine`)
    }
  }
} finally {
  redis.disconnect()
  server.kill()
}
