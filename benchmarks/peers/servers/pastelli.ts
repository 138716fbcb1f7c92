/** Pastelli, as its guide says: a topic to reach many, a generator for tokens. Without heartbeats, as all here. */
import fastify from 'fastify'
import { setTimeout as delay } from 'node:timers/promises'
import pastelli, { type Connection } from '../../../index.ts'
import { HELLO, serve, tokens, type TokensQuery } from '../serve.ts'

// So much may be queued for one before the publisher waits: what Node calls full in a response.
const MARK = 16 * 1024

const app = fastify()
await app.register(pastelli, { heartbeat: 0 })

app.stream('/stream', { topics: 'feed' }, (_request, reply) => { reply.event(HELLO) })

app.stream<{ Querystring: TokensQuery }>('/tokens', ({ query }) => tokens(query))

function broadcast (text: string): void {
  void app.topics.publish('feed', text)
}

// A topic never makes its publisher wait: who is behind reads on from the log. So that all tests ask the same of all, it waits here.
function room (connection: Connection): Promise<void> | undefined {
  return connection.queued > MARK ? emptied(connection) : undefined
}

async function emptied (connection: Connection): Promise<void> {
  while (connection.queued > MARK) await delay(1)
}

await app.listen({ port: 0, host: '127.0.0.1' })
await serve({ server: app.server, subscribers: app.connections, broadcast, room })
