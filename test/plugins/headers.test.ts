/** What the app's plugins and hooks put into the head of a stream arrives: cookies, CORS, helmet, onSend. */
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import type { FastifyInstance, FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import { start } from '../support/server.ts'
import { connect, type RawResponse } from '../support/socket.ts'

type Ask = (headers?: Record<string, string>, method?: string) => Promise<RawResponse>

// A stream route and ordinary ones, with the plugins behind Pastelli and ahead of it.
async function everywhere (t: Test, plugins: (app: FastifyInstance) => unknown, prepare: (reply: FastifyReply) => void, check: (t: Test, ask: Ask) => Promise<void>): Promise<void> {
  const routes = (app: FastifyInstance) => {
    const handler = (_request: unknown, reply: FastifyReply) => {
      prepare(reply)
      reply.event('a')
    }
    app.stream('/stream', handler).get('/plain', handler).get('/async', async (request, reply) => { handler(request, reply) })
  }
  const behind = await start(t, async (app) => {
    await plugins(app)
    routes(app)
  })
  const ahead = await start(t, routes, { before: plugins })
  for (const [place, { port, noise, app }] of Object.entries({ behind, ahead })) {
    for (const path of ['/stream', '/plain', '/async']) {
      await t.test(`${path}, plugins ${place}`, async (t) => {
        await check(t, async (headers, method = 'GET') => {
          const client = (await connect(t, port)).request(method, path, headers)
          await (method === 'GET' ? client.until('data: a\n\n') : client.head())
          return client.response
        })
        t.equal(app.connections.counts.server, 0, 'and the stream is open')
        t.same(noise(), [])
      })
    }
  }
}

t.test('several cookies, set in a hook, in the handler and in onSend', async (t) => {
  await everywhere(t, async (app) => {
    await app.register(cookie)
    app.addHook('onRequest', async (_request, reply) => { reply.setCookie('early', '1', { path: '/' }) })
    app.addHook('onSend', async (_request, reply) => { reply.setCookie('late', '3', { httpOnly: true }) })
  }, (reply) => { reply.setCookie('handler', '2', { sameSite: 'lax' }) }, async (t, ask) => {
    const { headers } = await ask()
    t.same(headers['set-cookie']?.split('\n').map((line) => line.split(';', 1)[0]).sort(), ['early=1', 'handler=2', 'late=3'])
    t.match(headers['set-cookie'], 'late=3; HttpOnly')
  })
})

t.test('several Set-Cookie headers without a plugin', async (t) => {
  await everywhere(t, () => {}, (reply) => { reply.header('set-cookie', ['a=1', 'b=2']).header('set-cookie', 'c=3') }, async (t, ask) => {
    t.equal((await ask()).headers['set-cookie'], 'a=1\nb=2\nc=3')
  })
})

t.test('CORS with credentials and an exact origin, and its preflight', async (t) => {
  await everywhere(t, (app) => app.register(cors, { origin: ['https://app.example'], credentials: true, exposedHeaders: ['x-mine'] }), () => {}, async (t, ask) => {
    const { headers } = await ask({ Origin: 'https://app.example' })
    t.match(headers, {
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-mine',
      vary: /Origin/
    })
    const foreign = await ask({ Origin: 'https://evil.example', 'Access-Control-Request-Method': 'GET' }, 'OPTIONS')
    t.notOk('access-control-allow-origin' in foreign.headers)
    const preflight = await ask({
      Origin: 'https://app.example', 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'last-event-id'
    }, 'OPTIONS')
    t.equal(preflight.status, 204)
    t.match(preflight.headers, { 'access-control-allow-origin': 'https://app.example', 'access-control-allow-headers': 'last-event-id' })
  })
})

t.test('the headers of helmet', async (t) => {
  await everywhere(t, (app) => app.register(helmet), () => {}, async (t, ask) => {
    const { headers } = await ask()
    t.match(headers, {
      'content-security-policy': /default-src 'self'/, 'x-content-type-options': 'nosniff', 'strict-transport-security': /max-age/, 'x-frame-options': 'SAMEORIGIN'
    })
    t.equal(headers['content-type'], 'text/event-stream; charset=utf-8')
  })
})

t.test('headers and the status from onSend hooks, callback and async, of the app and of the route', async (t) => {
  await everywhere(t, (app) => {
    app.addHook('onSend', (_request, reply, _payload, done) => {
      reply.header('x-callback', '1')
      setImmediate(done)
    })
    app.addHook('onSend', async (_request, reply, payload) => {
      reply.header('x-async', '2').code(207)
      await new Promise(setImmediate)
      return payload
    })
    app.addHook('onRoute', (route) => {
      route.onSend = [async (_request, reply) => { reply.header('x-route', '3') }, ...[route.onSend ?? []].flat()]
    })
  }, () => {}, async (t, ask) => {
    const { headers, status } = await ask()
    t.match(headers, { 'x-callback': '1', 'x-async': '2', 'x-route': '3' })
    t.equal(status, 207)
  })
})

t.test('headers that the app sets about caching, buffering and the type hold against ours', async (t) => {
  await everywhere(t, () => {}, (reply) => {
    reply.headers({ 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'yes', 'Content-Type': 'text/event-stream' })
  }, async (t, ask) => {
    t.match((await ask()).headers, { 'cache-control': 'no-store', 'x-accel-buffering': 'yes', 'content-type': 'text/event-stream' })
  })
})
