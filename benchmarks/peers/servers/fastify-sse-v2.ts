/**
 * fastify-sse-v2, as its README says: `reply.sse({ data })` for each subscriber, and `reply.sse(iterable)` for tokens, which waits for room.
 * For single events it has nothing that tells of room, so the publisher looks at the response. It has no heartbeats.
 */
import fastify, { type FastifyReply } from 'fastify'
import { FastifySSEPlugin } from 'fastify-sse-v2'
import { counted } from '../../numbered.ts'
import { HELLO, numbersOf, roomOf, serve, type TokensQuery, turn } from '../serve.ts'

interface Message { data: string }

// Its types and those of @fastify/sse name the same property.
interface SseReply {
  raw: FastifyReply['raw']
  sse: (source: Message | AsyncIterable<Message>) => void
  sseContext: { source: { end: () => void } }
}

const subscribers = new Set<SseReply>()

const app = fastify()
await app.register(FastifySSEPlugin)

app.get('/stream', (_request, fastifyReply) => {
  const reply = fastifyReply as unknown as SseReply
  reply.sse({ data: HELLO })
  subscribers.add(reply)
  reply.raw.on('close', () => {
    subscribers.delete(reply)
    reply.sseContext.source.end()
  })
})

app.get<{ Querystring: TokensQuery }>('/tokens', (request, reply) => {
  (reply as unknown as SseReply).sse(messages(request.query))
})

async function * messages (query: TokensQuery): AsyncGenerator<Message> {
  const { count, size, tick } = numbersOf(query)
  for (let n = 0; n < count; n++) {
    yield { data: counted(n, size) }
    if (tick === 1) await turn()
  }
}

function broadcast (data: string): void {
  const message = { data }
  for (const reply of subscribers) reply.sse(message)
}

await app.listen({ port: 0, host: '127.0.0.1' })
await serve({ server: app.server, subscribers, broadcast, room: ({ raw }) => roomOf(raw) })
