/** Appends in the order of the calls: one batch at a time, which a retry does not append twice. */
import { makeId } from '../../lib/connection/id.ts'
import { PST_ERR_LOG } from '../../lib/errors.ts'
import { formatPosition } from '../../lib/topics/position.ts'
import { Queue } from '../../lib/topics/queue.ts'
import type { Draft } from '../../lib/topics/record.ts'
import { pause } from '../pause.ts'
import { unavailable } from '../unavailable.ts'
import { encode } from './entry.ts'
import { type Line, run } from './line.ts'
import { offsetOf } from './place.ts'
import { APPEND } from './scripts.ts'

export interface Names { readonly stream: string, readonly epoch: string, readonly run: string, readonly prefix: string }

interface Waiting {
  readonly key: string | null
  readonly fields: readonly string[]
  readonly size: number
  readonly until: number
  readonly resolve: (id: string) => void
  readonly reject: (error: Error) => void
}

// One batch keeps Redis from everybody else for about 1 ms.
const BATCH = 250
const BATCH_CHARACTERS = 256 * 1024

// Of what waits for Redis, in characters.
const MAX_WAITING = 16 * 1024 * 1024

// What waits is looked through at most so often, ms.
const TICK = 100

// How long Redis knows what this writer appended last, ms. A client may send a command again as long as that.
const REMEMBERED = 3_600_000

// What Redis says for a while only.
const PASSING = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|UNBLOCKED)\b/

export class Appender {
  readonly #line: Line
  readonly #names: Names
  readonly #events: number
  readonly #age: number
  readonly #timeout: number
  readonly #writer = makeId()
  #number = 0
  readonly #waiting = new Queue<Waiting>()
  #size = 0
  #isRunning = false
  #underWay: readonly Waiting[] = []
  #timer: NodeJS.Timeout | null = null

  /** @param timeout ms after which what waits fails */
  constructor (line: Line, names: Names, events: number, age: number, timeout: number) {
    this.#line = line
    this.#names = names
    this.#events = events
    this.#age = age
    this.#timeout = timeout
  }

  append (draft: Draft): Promise<string> {
    const fields = encode(draft)
    const size = fields.reduce((sum, field) => sum + field.length, 0)
    if (this.#size + size > MAX_WAITING && this.#size !== 0) return Promise.reject(new PST_ERR_LOG('too much waits for it already'))
    return new Promise((resolve, reject) => {
      const key = draft.key === undefined ? null : `${this.#names.prefix}:key:${draft.topic}\n${draft.key}`
      this.#waiting.push({ key, fields, size, until: performance.now() + this.#timeout, resolve, reject })
      this.#size += size
      this.#watch()
      if (this.#isRunning) return
      this.#isRunning = true
      process.nextTick(() => { void this.#run() })   // what is published in a tick goes together
    })
  }

  async #run (): Promise<void> {
    while (this.#waiting.length !== 0) await this.#append(this.#next())
    this.#isRunning = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #next (): Waiting[] {
    const batch: Waiting[] = []
    for (let size = 0; this.#waiting.length !== 0 && batch.length < BATCH && size < BATCH_CHARACTERS;) {
      const one = this.#waiting.shift() as Waiting
      size += one.size
      batch.push(one)
    }
    return batch
  }

  // Until it has succeeded, or there is nobody left who waits for it.
  async #append (batch: readonly Waiting[]): Promise<void> {
    const [keys, args] = this.#command(batch)
    const { until } = batch.at(-1) as Waiting
    this.#underWay = batch
    for (let attempt = 0; ; attempt++) {
      try {
        settle(batch, String(await run(this.#line, APPEND, keys, args)))
        break
      } catch (err) {
        if (!isPassing(err) || performance.now() >= until) {
          fail(batch, unavailable(err))
          break
        }
        await pause(attempt, until - performance.now())
      }
    }
    this.#underWay = []
    this.#size -= sizeOf(batch)
  }

  #command (batch: readonly Waiting[]): [keys: string[], args: string[]] {
    const { stream, epoch, prefix } = this.#names
    const keys = [stream, epoch, `${prefix}:writer:${this.#writer}`]
    const args = [makeEpoch(), String(++this.#number), String(this.#events), String(this.#age), String(REMEMBERED)]
    for (const { key, fields } of batch) {
      if (key !== null) keys.push(key)
      args.push(key === null ? '0' : String(keys.length), String(fields.length), ...fields)
    }
    return [keys, args]
  }

  // What has waited for so long fails, also if the client neither answers nor fails.
  #watch (): void {
    const oldest = this.#underWay[0] ?? this.#waiting.first
    if (this.#timer !== null || oldest === undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#giveUp(performance.now())
      this.#watch()
    }, Math.max(TICK, oldest.until - performance.now()))
  }

  #giveUp (now: number): void {
    const error = new PST_ERR_LOG(`no answer within ${this.#timeout} ms`)
    const late = this.#underWay.filter(({ until }) => until <= now)
    fail(late, error)
    this.#underWay = this.#underWay.slice(late.length)
    for (let { first } = this.#waiting; first !== undefined && first.until <= now; first = this.#waiting.first) {
      this.#waiting.shift()
      this.#size -= first.size
      first.reject(error)
    }
  }
}

export function makeEpoch (): string {
  return makeId().slice(0, 8)
}

function settle (batch: readonly Waiting[], answer: string): void {
  const [epoch, ...ids] = answer.split(' ') as [string, ...string[]]
  batch.forEach(({ resolve, reject }, i) => {
    const offset = offsetOf(ids[i] as string)
    if (offset === null) reject(new PST_ERR_LOG(`the clock of Redis is wrong: ${ids[i] as string}`))
    else resolve(formatPosition(epoch, offset))
  })
}

function fail (batch: readonly Waiting[], error: Error): void {
  for (const { reject } of batch) reject(error)
}

function sizeOf (batch: readonly Waiting[]): number {
  return batch.reduce((sum, { size }) => sum + size, 0)
}

function isPassing (err: unknown): boolean {
  return !(err instanceof Error) || !/^[A-Z]{3,} /.test(err.message) || PASSING.test(err.message)
}
