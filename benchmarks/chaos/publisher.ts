/** A worker that publishes numbers in a steady pace, whatever becomes of them: `publisher.js SETTINGS`, as JSON. It knows what did. */
import { setTimeout as delay } from 'node:timers/promises'
import type { PublishOptions } from '../../index.ts'
import { publisher } from '../../logs/redis.ts'
import { answer } from '../child.ts'
import { History, type Step } from './history.ts'
import { type LogPlace, openLog } from './open-log.ts'

export interface PublisherSettings extends LogPlace {
  /** ms */
  every: number
  /** Whether every other number has a key, and is published again until it is acknowledged. */
  retries: boolean
  /** s */
  lifetime: number
}

/** What became of what was published. */
export interface Outcome {
  published: number
  /** Those that were acknowledged, in the order of the acknowledgements. */
  acknowledged: readonly Step[]
  /** How many attempts failed, by their code and message. */
  failures: Record<string, number>
  /** The longest that an attempt took, ms. */
  slowest: number
}

const settings = JSON.parse(process.argv[2] as string) as PublisherSettings
const { publish } = publisher(await openLog(settings))
const acknowledged = new History()
const failures: Record<string, number> = {}
let published = 0
let settled = 0
let slowest = 0
let timer: NodeJS.Timeout | undefined

async function next (): Promise<void> {
  const n = published++
  const isRetried = settings.retries && n % 2 === 0
  let isSettled = false
  while (!isSettled) {
    isSettled = await attempt(n, isRetried ? { key: String(n) } : {}) || !isRetried
    if (!isSettled) await delay(settings.every)   // an engine may say no at once
  }
  settled++
}

// Answers whether it was acknowledged.
async function attempt (n: number, options: PublishOptions): Promise<boolean> {
  const began = performance.now()
  try {
    await publish('feed', n, options)
    acknowledged.add(n)
    return true
  } catch (err) {
    const { code, message } = err as { code?: string, message: string }
    const failure = `${code ?? 'no code'}: ${message}`
    failures[failure] = (failures[failure] ?? 0) + 1
    return false
  } finally {
    slowest = Math.max(slowest, performance.now() - began)
  }
}

function outcome (): Outcome {
  return { published, acknowledged: acknowledged.steps, failures, slowest }
}

answer({
  start: () => { timer = setInterval(() => { void next() }, settings.every) },
  outcome,
  /** When all have settled. */
  stop: () => new Promise<Outcome>((resolve) => {
    clearInterval(timer)
    const look = setInterval(() => {
      if (settled !== published) return
      clearInterval(look)
      resolve(outcome())
    }, 10)
  })
}, settings.lifetime * 1_000)
