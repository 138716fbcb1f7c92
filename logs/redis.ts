/** `pastelli/redis`: a log in Redis, for apps on more than one machine. */
import { PST_ERR_OPTION } from '../lib/errors.ts'
import { show } from '../lib/options.ts'
import type { Log } from '../lib/topics/log.ts'
import { lineOf, type RedisClient } from './redis/line.ts'
import { RedisLog } from './redis/redis-log.ts'

export interface RedisLogOptions {
  /**
   * A client of `ioredis`, or a connected one of `redis`. It stays yours: it publishes and reads older events, and its
   * `duplicate()` makes one more connection for each log that is followed.
   */
  client: RedisClient
  /**
   * What the keys in Redis begin with: apps with the same name share a log. In braces, so that a cluster keeps all on one node.
   * @default 'pastelli': `{pastelli}:log` is the stream
   */
  name?: string | undefined
  /** At least so many of the newest events are retained, and about a hundred more. @default 100000 */
  events?: number | undefined
  /** ms. Older ones are not retained. @default 86400000, a day */
  age?: number | undefined
  /** ms. After so long without Redis a publish fails with PST_ERR_LOG; so does a read. @default 5000 */
  timeout?: number | undefined
  /** Of the newest events, so many are in this process's memory as well. @default { events: 10_000, bytes: 4 * 2 ** 20 } */
  memory?: { events?: number | undefined, bytes?: number | undefined } | undefined
}

const DEFAULTS = { name: 'pastelli', events: 100_000, age: 86_400_000, timeout: 5_000, memory: {} }
const MEMORY = { events: 10_000, bytes: 4 * 1024 * 1024 }

// What a timer of Node can hold.
const MAX_TIMEOUT = 2 ** 31 - 1

/**
 * Opens a log in Redis 7 or newer.
 * @throws PST_ERR_OPTION, and what Redis says
 */
export async function redisLog (options: RedisLogOptions): Promise<Log> {
  const { client, name, events, age, timeout, memory } = complete(options)
  const prefix = `{${name}}`
  return await RedisLog.open(lineOf(client), {
    names: { prefix, stream: `${prefix}:log`, epoch: `${prefix}:epoch`, run: `${prefix}:run` },
    events,
    age,
    timeout,
    mirror: { events: Math.min(memory.events, events), bytes: memory.bytes, age }
  })
}

function complete (given: RedisLogOptions) {
  if (typeof given !== 'object' || given === null) throw new PST_ERR_OPTION('redisLog', 'given an object', show(given))
  checkNames(given, ['client', ...Object.keys(DEFAULTS)])
  const options = { ...DEFAULTS, ...defined(given) }
  if (typeof options.name !== 'string' || !/^[^{}]+$/.test(options.name)) throw new PST_ERR_OPTION('name', 'a text without braces', show(options.name))
  if (typeof options.memory !== 'object' || options.memory === null) throw new PST_ERR_OPTION('memory', 'an object', show(options.memory))
  checkNames(options.memory, Object.keys(MEMORY))
  const memory = { ...MEMORY, ...defined(options.memory) }
  const counts = [['events', options.events], ['age', options.age], ['timeout', options.timeout], ['memory.events', memory.events], ['memory.bytes', memory.bytes]] as const
  for (const [name, value] of counts) {
    if (!Number.isSafeInteger(value) || value < 1) throw new PST_ERR_OPTION(name, 'a positive integer', show(value))
  }
  if (options.timeout > MAX_TIMEOUT) throw new PST_ERR_OPTION('timeout', `an integer of milliseconds from 1 to ${MAX_TIMEOUT}`, show(options.timeout))
  return { ...options, memory }
}

function checkNames (options: object, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new PST_ERR_OPTION(name, `one of ${names.join(', ')}`, 'an unknown option')
  }
}

function defined<Options extends object> (options: Options): { [Name in keyof Options]: Exclude<Options[Name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}

export { publisher, type Publisher } from './publisher.ts'
export type { Log, RedisClient }
