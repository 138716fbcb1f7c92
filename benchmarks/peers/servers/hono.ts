/**
 * Hono on @hono/node-server, as its documentation of streaming says: `streamSSE`, and `await stream.writeSSE({ data })` for each subscriber and
 * each token; its promise waits for room. It has no heartbeats.
 */
import { serve as listen } from '@hono/node-server'
import { Hono } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import type { Server } from 'node:http'
import { counted } from '../../numbered.ts'
import { HELLO, numbersOf, serve, turn } from '../serve.ts'

const subscribers = new Set<SSEStreamingApi>()

const app = new Hono()

app.get('/stream', (context) => streamSSE(context, async (stream) => {
  const left = new Promise<void>((resolve) => { stream.onAbort(resolve) })
  await stream.writeSSE({ data: HELLO })
  subscribers.add(stream)
  await left
  subscribers.delete(stream)
}))

app.get('/tokens', (context) => streamSSE(context, async (stream) => {
  const { count, size, tick } = numbersOf(context.req.query())
  for (let n = 0; n < count && !stream.aborted; n++) {
    await stream.writeSSE({ data: counted(n, size) })
    if (tick === 1) await turn()
  }
}))

function broadcast (data: string): Promise<unknown> {
  const message = { data }
  return Promise.all(Array.from(subscribers, (stream) => stream.writeSSE(message)))
}

const server = listen({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
await serve({ server, subscribers, broadcast })
