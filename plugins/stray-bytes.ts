/** A client that sends what is no request while its stream is open has left it: it is cut before anybody answers into the stream. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { cutIfStreaming } from '../lib/connection/stray.ts'

function strayBytes (fastify: FastifyInstance, _options: object, done: () => void): void {
  // Ahead of Fastify's own listener, which would write a 400.
  fastify.server.prependListener('clientError', cutIfStreaming)

  // `localhost` has two addresses, and Fastify a second server for the other one, known only by the requests it gets.
  const known = new WeakSet<object>([fastify.server])
  const meet = (message: unknown) => {
    const { server } = message as { server: Server }
    // One that nobody listens to answers by itself, and would not any more.
    if (known.has(server) || server.listenerCount('clientError') === 0) return
    known.add(server)
    server.prependListener('clientError', cutIfStreaming)
  }
  fastify.addHook('onListen', async () => {
    if (fastify.addresses().length > 1) subscribe('http.server.request.start', meet)
  })
  fastify.addHook('onClose', async () => { unsubscribe('http.server.request.start', meet) })
  done()
}

export default fp(strayBytes, { name: 'pastelli/stray-bytes', fastify: '5.x' })
