/** The server under load: `server.js SETTINGS`, as JSON. Run it with `--expose-gc`. SIGTERM closes the app, as it would in production. */
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import pastelli, { memoryLog, type PastelliOptions } from '../../index.ts'
import { openLog } from '../chaos/open-log.ts'
import { answer } from '../child.ts'
import { numbered } from '../numbered.ts'
import { remains } from '../remains.ts'
import type { Counts } from './counts.ts'
import { HOST } from './sockets.ts'

export interface ServerSettings {
  /** Where it listens when it is told to; 0: anywhere. */
  port: number
  options: Pick<PastelliOptions, 'heartbeat' | 'retry' | 'drain' | 'writeTimeout' | 'overflow'>
  /** Of the log in memory; null: the default. */
  memory: Parameters<typeof memoryLog>[0] | null
  /** Of the redis-server that has the log; null: it is in memory. */
  redis: number | null
  /** The number of the first event that it publishes. */
  first: number
  /** How long it is held up when it is told to, ms. */
  sleep: number
  /** How many events of 10 kB there are at `/large`. */
  large: number
  /** s */
  lifetime: number
}

/** How it is. */
export interface Figures {
  /** Connections in the registry. */
  registry: number
  /** Those that ended, by close reason. */
  reasons: Counts
  /** MiB, after a garbage collection. */
  rss: number
  heap: number
  /** The longest that it did not look since the mark, ms. */
  asleep: number
}

// Of a publish to the log on an engine, ms.
const TIMEOUT = 5_000

// Who takes over tries so often whether the port is free, ms.
const KNOCK_EVERY = 5

const LARGE = 10_000

// Those that the server closes before it sleeps.
const LEAVING = 'leaving'

const MIB = 2 ** 20

const { port, options, memory, redis, first, sleep, large, lifetime } = JSON.parse(process.argv[2] as string) as ServerSettings

const log = redis === null ? memoryLog(memory ?? {}) : await openLog({ engine: 'redis', port: redis, tailPort: redis, timeout: TIMEOUT })
const asleep = monitorEventLoopDelay({ resolution: 1 })
asleep.enable()

const app = fastify()
await app.register(pastelli, { ...options, log })
app.stream('/', { topics: 'feed' })
app.stream('/quiet', () => {})
app.stream<{ Querystring: { leaves?: string } }>('/large', async function * ({ query }, { connection }) {
  if (query.leaves !== undefined) connection.name = LEAVING
  for (let i = 0; i < large; i++) yield numbered(i, LARGE)
})

let n = first
app.post('/publish', async () => {
  const own = n++
  await app.topics.publish('feed', numbered(own))
  return own
})

process.once('SIGTERM', () => { void close() })

answer({ listen, figures, mark, sleep: block, remains: () => remains(app) }, lifetime * 1_000)

/** Answers the port, once it has it: another process may have it until now. */
async function listen (): Promise<number> {
  for (;;) {
    try {
      await app.listen({ port, host: HOST, backlog: 4_096 })
      return (app.server.address() as AddressInfo).port
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw err
      await delay(KNOCK_EVERY)
    }
  }
}

function figures (): Figures {
  global.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  return { registry: app.connections.size, reasons: { ...app.connections.counts }, rss: rss / MIB, heap: heapUsed / MIB, asleep: asleep.max / 1e6 }
}

function mark (): void {
  asleep.reset()
}

/** It does nothing else meanwhile. */
function block (): void {
  for (const connection of app.connections.named(LEAVING)) connection.close()
  const end = performance.now() + sleep
  while (performance.now() < end);
}

// The parent learns how the streams ended. Then the process goes away by itself, unless a client of an engine keeps it.
async function close (): Promise<void> {
  await app.close()
  process.send?.(app.connections.counts, () => {
    if (redis !== null) process.exit()
    process.removeAllListeners('disconnect')   // it would end it
    process.disconnect()
  })
}
