/** A node in a process of its own, so that it can be killed and stopped: its parent says which engine it has, and is told its port and id. */
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import pastelli, { type Log } from '../../index.ts'
import { natsLog } from '../../logs/nats.ts'
import { redisLog } from '../../logs/redis.ts'

const [engine, place, timeout] = process.argv.slice(2) as [string, string, string]

async function open (): Promise<Log> {
  const nodeTimeout = Number(timeout)
  if (engine === 'redis') return await redisLog({ client: new Redis(place, { maxRetriesPerRequest: null }), nodeTimeout })
  return await natsLog({ client: jetstream(await connect({ port: Number(place), maxReconnectAttempts: -1 })), nodeTimeout })
}

const app = fastify()
await app.register(pastelli, { log: await open() })
app.stream<{ Querystring: { name?: string } }>('/a', ({ query }, { connection }) => {
  connection.name = query.name ?? null
  connection.subscribe('a', { presence: true })
})
app.stream<{ Params: { id: string } }>('/count/:id', { resumable: ({ params }) => (params as { id: string }).id }, async function * () {
  for (let n = 0; ; n++) {
    yield String(n)
    await delay(20)
  }
})
await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.({ port: (app.server.address() as AddressInfo).port, id: app.presence.node })
