/**
 * `pastelli/redis`: a log in Redis, for apps on more than one machine.
 * @module pastelli/redis
 */
import type { Log } from '../lib/topics/log.ts'
import { complete, type LogOptions } from './options.ts'
import { lineOf, type RedisClient } from './redis/line.ts'
import { RedisLog } from './redis/redis-log.ts'

/** What `redisLog` takes. */
export interface RedisLogOptions extends LogOptions {
  /**
   * A client of `ioredis`, or a connected one of `redis`, or one of either for a cluster. It stays yours: it publishes and reads
   * older events, and for each log that is followed its `duplicate()`, or that of one of the cluster's nodes, makes one more connection.
   */
  client: RedisClient
}

// In braces, so that a cluster keeps all keys on one node.
const NAME = { says: 'a text without braces', pattern: /^[^{}]+$/ }

/**
 * Opens a log in Redis 7 or newer. Its keys begin with the name in braces: `{pastelli}:log` is the stream. Redis trims a
 * hundred events at a time.
 * @throws PST_ERR_OPTION; PST_ERR_LOG where Redis refuses, or does not answer within `timeout`
 */
export async function redisLog (options: RedisLogOptions): Promise<Log> {
  const { name, ...settings } = complete('redisLog', options, NAME)
  const prefix = `{${name}}`
  return await RedisLog.open(lineOf(options.client, prefix), {
    ...settings,
    names: { prefix, stream: `${prefix}:log`, epoch: `${prefix}:epoch`, run: `${prefix}:run` }
  })
}

export { publisher, type Publisher } from './publisher.ts'
export type { Log, RedisClient }
