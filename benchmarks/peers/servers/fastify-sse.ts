/**
 * @fastify/sse, as its README says: routes that only stream, `keepAlive()`, and `reply.sse.send` for each subscriber, whose promise
 * waits for room. It sends text, which its documentation has beside objects and which it need not serialise. Without heartbeats.
 */
import sse, { type fastifySSE, type SSEReplyInterface } from '@fastify/sse'
import fastify, { type FastifyReply } from 'fastify'
import { HELLO, serve, tokens, type TokensQuery } from '../serve.ts'

const subscribers = new Set<SSEReplyInterface>()

const app = fastify()
// Its types give what it exports to ES modules another shape than it has.
await app.register(sse as unknown as typeof fastifySSE, { heartbeatInterval: 0 })

app.get('/stream', { sse: 'only' }, async (_request, reply) => {
  const stream = streamOf(reply)
  stream.keepAlive()
  await stream.send(HELLO)
  subscribers.add(stream)
  stream.onClose(() => { subscribers.delete(stream) })
})

app.get<{ Querystring: TokensQuery }>('/tokens', { sse: 'only' }, async (request, reply) => {
  await streamOf(reply).send(tokens(request.query))
})

// Its types and those of fastify-sse-v2 name the same property.
function streamOf (reply: FastifyReply): SSEReplyInterface {
  return reply.sse as unknown as SSEReplyInterface
}

function broadcast (text: string): Promise<unknown> {
  return Promise.all(Array.from(subscribers, (stream) => stream.send(text)))
}

await app.listen({ port: 0, host: '127.0.0.1' })
await serve({ server: app.server, subscribers, broadcast })
