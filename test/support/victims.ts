/** Engines that tests of nodes may hurt. */
import type { Test } from 'tap'
import { type Logs, natsLogs, redisLogs } from './cluster.ts'
import { startNats } from './nats.ts'
import { nodeKeys, startRedis } from './redis.ts'

export interface Victim {
  logs: Logs
  /** What a process that has it is told of it. */
  place: readonly [engine: string, place: string | number]
  /** Loses all that it holds, and goes on. */
  empty: () => Promise<unknown>
  /** Is killed, and starts with nothing. */
  restart: () => Promise<void>
  suspend: () => void
  resume: () => void
  /** What nodes have left in it. */
  left: () => Promise<readonly unknown[]>
}

/** @param nodeTimeout of its logs, ms */
export async function redisVictim (t: Test, nodeTimeout: number): Promise<Victim> {
  const redis = await startRedis(t)
  return {
    logs: redisLogs(t, redis, { nodeTimeout }),
    place: ['redis', redis.socket],
    empty: () => redis.cli('FLUSHALL'),
    restart: async () => {
      await redis.kill()
      await redis.start()
    },
    suspend: () => { redis.suspend() },
    resume: () => { redis.resume() },
    left: () => nodeKeys(redis)
  }
}

export async function natsVictim (t: Test, nodeTimeout: number): Promise<Victim> {
  const nats = await startNats(t)
  const { streams } = await (await nats.client(t)).jetstreamManager()
  const stream = 'pastelli+nodes'
  return {
    logs: natsLogs(t, nats, { nodeTimeout }),
    place: ['nats', nats.port],
    empty: () => streams.delete(stream),
    restart: async () => {
      await nats.kill()
      await nats.forget()
      nats.start()
    },
    suspend: () => { nats.suspend() },
    resume: () => { nats.resume() },
    left: async () => Object.keys((await streams.info(stream, { subjects_filter: '>' })).state.subjects ?? {})
  }
}
