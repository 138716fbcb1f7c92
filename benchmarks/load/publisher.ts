/** Publishes from another process, in a steady pace whatever becomes of it: `publisher.js SETTINGS`, as JSON. */
import { publisher } from '../../logs/redis.ts'
import { openLog } from '../chaos/open-log.ts'
import { answer } from '../child.ts'
import { numbered } from '../numbered.ts'
import type { Counts } from './counts.ts'
import { HOST } from './sockets.ts'

export interface PublisherSettings {
  /** Of the server, which is asked to publish, and numbers what it does. */
  port: number
  /** Of the redis-server, which takes it without the server; null: there is none. */
  redis: number | null
  /** ms */
  every: number
  /** s */
  lifetime: number
}

/** What became of it. */
export interface Published {
  /** The newest number that was acknowledged. */
  last: number
  acknowledged: number
  failures: Counts
}

// Of a publish to the log on an engine, ms.
const TIMEOUT = 5_000

const { port, redis, every, lifetime } = JSON.parse(process.argv[2] as string) as PublisherSettings

const publish = redis === null ? byServer : await byLog(redis)
const published: Published = { last: -1, acknowledged: 0, failures: {} }
const pending = new Set<Promise<void>>()
let timer: NodeJS.Timeout | undefined

async function byServer (): Promise<number> {
  const response = await fetch(`http://${HOST}:${port}/publish`, { method: 'POST' })
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${text}`)
  return Number(text)
}

// With a key, so that what is not acknowledged can be published again, and is there once. One at a time: they keep their order.
async function byLog (redis: number): Promise<() => Promise<number>> {
  const { publish } = publisher(await openLog({ engine: 'redis', port: redis, tailPort: redis, timeout: TIMEOUT }))
  let n = -1
  let before = Promise.resolve(-1)
  return async () => {
    const own = ++n
    before = before.then(async () => {
      await publish('feed', numbered(own), { key: String(own) })
      return own
    })
    return await before
  }
}

async function attempt (): Promise<void> {
  try {
    published.last = Math.max(published.last, await publish())
    published.acknowledged++
  } catch (err) {
    const { message, cause } = err as Error
    const failure = cause instanceof Error ? `${message}: ${(cause as NodeJS.ErrnoException).code ?? cause.message}` : message
    published.failures[failure] = (published.failures[failure] ?? 0) + 1
  }
}

answer({
  start: () => {
    timer = setInterval(() => {
      const own = attempt().finally(() => { pending.delete(own) })
      pending.add(own)
    }, every)
  },
  published: () => published,
  /** When all have settled. */
  stop: async () => {
    clearInterval(timer)
    await Promise.all(pending)
    return published
  }
}, lifetime * 1_000)
