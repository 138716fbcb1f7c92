/** `app.close()`: nobody new is let in, then every stream ends, within a deadline. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:http'
import type { Http2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { drain } from '../lib/connection/drain.ts'
import { cut, noteSockets } from '../lib/connection/sessions.ts'
import { trackSpares } from '../lib/connection/spares.ts'
import { kHost, kSockets } from '../lib/symbols.ts'

// How much of the time that it has a preClose hook may take.
const SHARE = 0.9

// What a session of HTTP/2 has at least to say that it ends, ms.
const LAST_WORDS = 500

function shutdown (fastify: FastifyInstance, _options: object, done: () => void): void {
  const sessions = trackSessions(fastify)
  const spares = trackSpares(fastify.server)
  const { pluginTimeout = 0 } = fastify.initialConfig
  const { drain: deadline } = fastify[kHost].settings
  if (pluginTimeout !== 0 && deadline > pluginTimeout) fastify.log.warn({ drain: deadline, pluginTimeout }, 'a shutdown can not take longer than pluginTimeout')
  let drained: Promise<void> | null = null
  const end = async () => {
    const began = performance.now()
    const release = endBehindAnswers(fastify)
    refuseNewcomers(fastify)
    spares.cutUnused()
    for (const session of sessions) session.close()   // GOAWAY: open streams go on, new ones go elsewhere
    const { registry, settings } = fastify[kHost]
    await Promise.all([drain(registry, settings.drain, settings.retry), fastify[kSockets]?.endOthers(settings.drain)])
    endSessions(fastify, sessions, began + settings.drain)
    spares.cut()
    closeIdle(fastify)
    release()
  }
  fastify.addHook('preClose', async () => {
    drained = end()
    await atMost(drained, pluginTimeout * SHARE)
  })
  fastify.addHook('onClose', async () => { await drained })
  done()
}

// A preClose hook that takes longer than `pluginTimeout` makes the close of the app fail. After most of it, Fastify closes the
// server, which cuts responses over HTTP/1.1 that we have ended and that nobody takes; what else is left has until `drain`.
async function atMost (drained: Promise<void>, ms: number): Promise<void> {
  const waiting = new AbortController()
  const patience = ms === 0 ? drained : delay(ms, undefined, { signal: waiting.signal })
  await Promise.race([drained, patience]).finally(() => { waiting.abort() })
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

// A socket whose answer was under way is not idle yet. Kept alive behind it, it would hold the server up, and a request
// that came over it would be told 503. The channel is the process's: other servers go on listening.
function endBehindAnswers ({ server }: FastifyInstance): () => void {
  const end = (message: unknown) => {
    const { server: answering, socket } = message as { server: Server, socket: Socket }
    if (!answering.listening) socket.end()
  }
  subscribe('http.server.response.finish', end)
  const closed = new Promise<void>((resolve) => { server.listening ? server.once('close', resolve) : resolve() })
  return () => { void closed.then(() => { unsubscribe('http.server.response.finish', end) }) }
}

// The servers of HTTP/2 have none: their sessions are closed.
function closeIdle ({ server }: FastifyInstance): void {
  if ('closeIdleConnections' in server) server.closeIdleConnections()
}

function trackSessions ({ server }: FastifyInstance): Set<Http2Session> {
  const sessions = new Set<Http2Session>()
  noteSockets(server)
  server.on('session', (session: Http2Session) => {
    sessions.add(session)
    session.once('close', () => { sessions.delete(session) })
  })
  return sessions
}

// A session that is destroyed waits until its client has taken what was written, and has closed its own half.
function endSessions ({ server }: FastifyInstance, sessions: Set<Http2Session>, deadline: number): void {
  if (sessions.size === 0) return
  const cutter = setTimeout(() => {
    for (const session of sessions) cut(session)
  }, Math.max(LAST_WORDS, deadline - performance.now()))
  server.once('close', () => { clearTimeout(cutter) })
  for (const session of sessions) session.destroy()
}

export default fp(shutdown, { name: 'pastelli/shutdown', fastify: '5.x', dependencies: ['pastelli/connections', 'pastelli/websocket'] })
