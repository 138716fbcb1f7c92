/** Nodes that share a log in Redis, with a resumable stream. */
import type { FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import type { StreamOptions } from '../../index.ts'
import { redisLog } from '../../logs/redis.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { Script } from './script.ts'
import { type Server, start } from './server.ts'

/** ms: the least, so that tests need not wait long for a death to be known. */
export const NODE_TIMEOUT = 1_000

/** A node whose resumable stream at `path`, which ends with `:id`, is fed by the script. */
export async function resumableNode (t: Test, redis: RedisServer, script: Script, path = '/:id', options: Partial<StreamOptions> = {}): Promise<Server> {
  const log = await redisLog({ client: await redis.client(t, 'ioredis'), nodeTimeout: NODE_TIMEOUT })
  const resumable = (request: FastifyRequest) => (request.params as { id: string }).id
  return await start(t, (app) => { app.stream(path, { resumable, ...options }, script.handler) }, { pastelli: { log } })
}

/** Two of them, with one script. */
export async function twoNodes (t: Test, options: Partial<StreamOptions> = {}): Promise<{ redis: RedisServer, script: Script, one: Server, other: Server }> {
  const redis = await startRedis(t)
  const script = new Script()
  const one = await resumableNode(t, redis, script, '/:id', options)
  const other = await resumableNode(t, redis, script, '/:id', options)
  return { redis, script, one, other }
}
