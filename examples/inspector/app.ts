/**
 * A server with something to look at, and the inspector.
 *
 *     GET  /prices/:market   a topic for each market
 *     GET  /news             a topic for all, and a name for who reads it
 *     GET  /chat             a WebSocket
 *     POST /answers          a stream that ends by itself, or fails
 *     GET  /inspector/       everything of the above, live
 */
import { setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import pastelli from 'pastelli'
import inspector from 'pastelli/inspector'

export const MARKETS = ['amsterdam', 'helsinki', 'lisbon', 'milano', 'tallinn', 'wien']

const WORDS = 'the quick brown fox jumps over the lazy dog and comes back for its hat'.split(' ')

export async function buildApp (server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify(server)
  await app.register(pastelli, { heartbeat: 5_000 })
  // On this machine alone, everybody may look. Anywhere else: `auth`, with a hook that knows who may.
  await app.register(inspector, { prefix: '/inspector', insecure: true })

  app.stream('/prices/:market', { topics: (request) => `prices:${(request.params as { market: string }).market}` })
  app.stream('/news', { topics: ['news', 'weather'] }, (request, { connection }) => {
    const { reader = null } = request.query as { reader?: string }
    connection.name = reader
  })
  app.stream('/chat', {
    topics: 'chat',
    websocket: { handle (message) { void app.topics.publish('chat', String(message)) } }
  })
  app.stream('/answers', { method: 'POST' }, async function * (_request, { connection: { signal } }) {
    for (const word of WORDS) {
      yield word
      await delay(250, undefined, { signal })
      if (Math.random() < 0.01) throw new Error('the model lost its thread')
    }
  })

  const feed = setInterval(() => {
    for (const market of MARKETS) if (Math.random() < 0.5) void app.topics.publish(`prices:${market}`, { cents: Math.round(Math.random() * 10_000), at: Date.now() })
    if (Math.random() < 0.08) void app.topics.publish('news', { headline: WORDS.slice(0, 4 + Math.floor(Math.random() * 8)).join(' ') })
    if (Math.random() < 0.03) void app.topics.publish('weather', { degrees: Math.round(Math.random() * 30) })
  }, 200)
  app.addHook('preClose', async () => { clearInterval(feed) })
  return app
}
