/** A log under test, and what the tests of the contract do with it. */
import type { Test } from 'tap'
import type { Batch, Draft, Log, Record } from '../../index.ts'
import { parsePosition } from '../../lib/topics/position.ts'
import { until } from '../support/until.ts'

export interface Bounds {
  /** Retains the newest so many events, and not many times as many. Without it, all that a test appends: some MB. */
  events?: number
}

export interface Life {
  /** Holds nothing, and nobody follows it yet. */
  log: Log
  /** The log as it is opened again, by the same means, once everything that it held was lost. */
  next: () => Promise<Log>
}

/** Opens a log of its own each time. */
export type Open = (bounds: Bounds) => Promise<Life>

export interface Scene {
  log: Log
  /** What its follower was called with. */
  heard: Record[]
  /** Follows no longer. */
  stop: () => void | Promise<void>
  /** Appends, waits until it was heard, and answers the id. */
  append: (topic: string, data?: string, key?: string) => Promise<string>
  read: (topics: string[], after: number, limit?: number) => Promise<Batch | null>
}

// More than any engine keeps that was told to keep a few.
const MAX_OVERRUN = 20_000
const AT_ONCE = 10

export async function begin (t: Test, open: Open, bounds: Bounds = {}): Promise<Scene> {
  const { log } = await open(bounds)
  const scene = follow(log)
  t.teardown(scene.stop)
  return scene
}

export function follow (log: Log): Scene {
  const heard: Record[] = []
  const stop = log.follow((record) => { heard.push(record) })
  const append = async (topic: string, data?: string, key?: string) => {
    const id = await log.append({ ...draft(topic, data), key })
    await until(() => log.head >= offsetOf(id), `${id} was heard`)
    return id
  }
  return { log, heard, stop, append, read: (topics, after, limit) => readFrom(log, topics, after, limit) }
}

/** Reads as cursors do. */
export async function readFrom (log: Log, topics: string[], after: number, limit = Infinity): Promise<Batch | null> {
  return await log.read(once(topics), after, limit)
}

/** Topics as cursors give them: they can be iterated once. */
export function once (topics: string[]): Iterable<string> {
  return new Set(topics).values()
}

/** Appends to the topic until its first record behind `after` is trimmed. */
export async function overrun (log: Log, topic: string, after: number): Promise<void> {
  for (let appended = 0; appended < MAX_OVERRUN; appended += AT_ONCE) {
    if (await readFrom(log, [topic], after, 1) === null) return
    const ids = await Promise.all(Array.from({ length: AT_ONCE }, () => log.append(draft(topic))))
    await until(() => log.head >= offsetOf(ids.at(-1)), 'all were heard')
  }
  throw new Error(`${MAX_OVERRUN} events more, and nothing was trimmed`)
}

export function draft (topic: string, data = 'x'): Draft {
  return { topic, data, json: false }
}

export function idsOf (batch: Batch | null): string[] | undefined {
  return batch?.records.map(({ id }) => id)
}

export function offsetOf (id: string | undefined): number {
  return parsePosition(id ?? '')?.offset ?? NaN
}
