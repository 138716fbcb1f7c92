/** The log of one process, on the engine that a program was told. */
import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { type Log, natsLog } from '../../logs/nats.ts'
import { redisLog } from '../../logs/redis.ts'
import type { EngineName } from './engine.ts'

export interface LogPlace {
  engine: EngineName
  port: number
  /** For the connection that hears, where it goes another way: only with Redis it is one of its own. */
  tailPort: number
  /** ms */
  timeout: number
}

// Of a connection that has died in silence no client knows by itself: ioredis waits for an answer as long as it is told, NATS pings.
export async function openLog ({ engine, port, tailPort, timeout }: LogPlace): Promise<Log> {
  if (engine === 'redis') {
    const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null, socketTimeout: 2 * timeout })
    const duplicate = client.duplicate.bind(client)
    client.duplicate = (override) => duplicate({ ...override, port: tailPort })
    client.on('error', () => {})   // what fails says so
    return await redisLog({ client, timeout })
  }
  const connection = await connect({ port: tailPort, maxReconnectAttempts: -1, waitOnFirstConnect: true, pingInterval: 2_000, maxPingOut: 2 })
  return await natsLog({ client: jetstream(connection), timeout })
}
