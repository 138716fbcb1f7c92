/** Fastify without a plugin, as its reference says: `reply.hijack()`, and from then on node:http. Its hooks do not run for the response. */
import fastify from 'fastify'
import type { ServerResponse } from 'node:http'
import { HEAD, HELLO, roomOf, serve, type TokensQuery, writeTokens } from '../serve.ts'

const subscribers = new Set<ServerResponse>()

const app = fastify()

app.get('/stream', (_request, reply) => {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, HEAD)
  raw.write(`data: ${HELLO}\n\n`)
  subscribers.add(raw)
  raw.on('close', () => { subscribers.delete(raw) })
})

app.get<{ Querystring: TokensQuery }>('/tokens', (request, reply) => {
  reply.hijack()
  reply.raw.writeHead(200, HEAD)
  void writeTokens(reply.raw, request.query)
})

function broadcast (text: string): void {
  const bytes = Buffer.from(`data: ${text}\n\n`)
  for (const response of subscribers) response.write(bytes)
}

await app.listen({ port: 0, host: '127.0.0.1' })
await serve({ server: app.server, subscribers, broadcast, room: roomOf })
