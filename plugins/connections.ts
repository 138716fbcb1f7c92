/** `fastify.connections`: the registry, its clock and its limits, tied to the life of the server. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:http'
import type { Http2Session } from 'node:http2'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Clock } from '../lib/connection/clock.ts'
import { drain } from '../lib/connection/drain.ts'
import type { Host } from '../lib/connection/host.ts'
import { Limits } from '../lib/connection/limits.ts'
import { Registry } from '../lib/connection/registry.ts'
import { cutIfStreaming } from '../lib/connection/stray.ts'
import type { Settings } from '../lib/options.ts'
import { kHost } from '../lib/symbols.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The open streams of this instance and of those below it. */
    readonly connections: Registry
    /** @internal */
    readonly [kHost]: Host
  }
}

function connections (fastify: FastifyInstance, { settings }: { settings: Readonly<Settings> }, done: () => void): void {
  const registry = new Registry(fastify.log)
  const clock = new Clock(registry)
  clock.cover(settings)
  fastify.decorate('connections', registry)
  fastify.decorate(kHost, { settings, registry, clock, limits: [new Limits(settings)] })

  cutStrayBytes(fastify)
  const sessions = trackSessions(fastify)
  fastify.addHook('preClose', async () => {
    refuseNewcomers(fastify)
    for (const session of sessions) session.close()   // GOAWAY: open streams go on, new ones go elsewhere
    await drain(registry, settings.drain, settings.retry)
    for (const session of sessions) session.destroy()
    closeIdle(fastify)
  })
  fastify.addHook('onClose', async () => { clock.stop() })
  done()
}

// A browser that is told 503 never comes back; one that is refused tries again. So listening ends before the first
// stream does. `localhost` has two addresses, and two servers: the second one ends listening with the `unref` of the first.
function refuseNewcomers (fastify: FastifyInstance): void {
  const { server } = fastify
  if (!server.listening) return
  server.close()
  server.unref()
  closeIdle(fastify)
}

// The servers of HTTP/2 have none: their sessions are closed.
function closeIdle ({ server }: FastifyInstance): void {
  if ('closeIdleConnections' in server) server.closeIdleConnections()
}

function trackSessions ({ server }: FastifyInstance): Set<Http2Session> {
  const sessions = new Set<Http2Session>()
  server.on('session', (session: Http2Session) => {
    sessions.add(session)
    session.once('close', () => { sessions.delete(session) })
  })
  return sessions
}

// Ahead of Fastify's own listener, which would write a 400 into the stream. The second server of `localhost` is known
// only by the requests it gets.
function cutStrayBytes (fastify: FastifyInstance): void {
  const known = new WeakSet<object>([fastify.server])
  const meet = (message: unknown) => {
    const { server } = message as { server: Server }
    if (known.has(server)) return
    known.add(server)
    server.prependListener('clientError', cutIfStreaming)
  }
  fastify.server.prependListener('clientError', cutIfStreaming)
  fastify.addHook('onListen', async () => {
    if (fastify.addresses().length > 1) subscribe('http.server.request.start', meet)
  })
  fastify.addHook('onClose', async () => { unsubscribe('http.server.request.start', meet) })
}

export default fp(connections, { name: 'pastelli/connections', fastify: '5.x' })
