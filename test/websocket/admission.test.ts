/** Who is let in: the app's hooks, the origin, places, subprotocols; who is not gets plain HTTP. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import websocket from '@fastify/websocket'
import fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import pastelli, { type AllowedOrigins } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

await t.test('hooks that refuse answer with plain HTTP, and nothing is opened', async (t) => {
  const hooks = ['onRequest', 'preValidation', 'preHandler'] as const
  const inits: string[] = []
  const server = await start(t, (app) => {
    for (const hook of hooks) {
      app.stream(`/${hook}`, {
        [hook]: async () => { throw Object.assign(new Error('who are you?'), { statusCode: 401 }) },
        websocket: { init: () => { inits.push(hook) } }
      })
    }
  })
  for (const hook of hooks) t.equal(await (await dial(t, server, `/${hook}`, { opens: false })).refused, 401)
  t.same(inits, [])
  t.equal(server.app.connections.size, 0)
})

await t.test('a schema is validated before the upgrade', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { schema: { querystring: { type: 'object', required: ['room'] } }, websocket: { init: () => {} } })
  })
  t.equal(await (await dial(t, server, '/', { opens: false })).refused, 400)
  await dial(t, server, '/?room=1')
})

const ASKED: Array<[what: string, allowed: AllowedOrigins<FastifyRequest> | undefined, origin: string | undefined, isAllowed: boolean]> = [
  ['by default, no page', undefined, undefined, true],
  ['by default, a page of the same host', undefined, 'own', true],
  ['by default, a page of another port', undefined, 'http://127.0.0.1:1', false],
  ['by default, a page of somebody else', undefined, 'https://evil.example', false],
  ['by default, a page that hides its origin', undefined, 'null', false],
  ['by default, nonsense', undefined, 'http://', false],
  ['a list, one of it', ['https://a.example', 'https://b.example'], 'https://b.example', true],
  ['a list, none of it', ['https://a.example'], 'https://a.example.evil.example', false],
  ['a list, not the host itself', ['https://a.example'], 'own', false],
  ['an empty list, no page', [], undefined, true],
  ['a pattern', [/^https:\/\/\w+\.example$/g], 'https://c.example', true],
  ['everybody', '*', 'https://evil.example', true],
  ['a function', (origin) => origin === 'https://d.example', 'https://d.example', true],
  ['a function that says no', () => false, 'own', false],
  ['a function, no page', (origin) => origin !== undefined, undefined, false],
  ['an async function', async (origin) => origin === 'https://d.example', 'https://d.example', true],
  ['an async function that says no', async () => false, 'https://d.example', false]
]

for (const [what, allowedOrigins, origin, isAllowed] of ASKED) {
  await t.test(`origins: ${what} is ${isAllowed ? 'let in' : 'answered 403'}`, async (t) => {
    const server = await start(t, (app) => {
      app.stream('/route', { websocket: allowedOrigins === undefined ? { init: () => {} } : { init: () => {}, allowedOrigins } })
      app.stream('/app', { websocket: { init: () => {} } })
    }, { pastelli: { websocket: { allowedOrigins } } })
    for (const path of ['/route', '/app']) {
      const options = origin === undefined ? {} : { origin: origin === 'own' ? server.origin : origin }
      const socket = await dial(t, server, path, { ...options, opens: isAllowed })
      if (!isAllowed) t.equal(await socket.refused, 403)
    }
    t.equal(server.app.connections.size, isAllowed ? 2 : 0)
  })
}

await t.test('a route\'s origins go over the app\'s', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { init: () => {}, allowedOrigins: null } })
  }, { pastelli: { websocket: { allowedOrigins: '*' } } })
  t.equal(await (await dial(t, server, '/', { origin: 'https://evil.example', opens: false })).refused, 403)
})

await t.test('behind a proxy that is trusted, the host is the one that was asked', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { websocket: { init: () => {} } }) }, { trustProxy: true })
  const headers = { 'x-forwarded-host': 'shop.example' }
  await dial(t, server, '/', { origin: 'https://shop.example', headers })
  t.equal(await (await dial(t, server, '/', { origin: server.origin, headers, opens: false })).refused, 403)
})

await t.test('places are those of streams: 503 and 429, and free again at the end', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/one', { maxConnections: 1, websocket: { init: () => {} } }, () => {})
    app.stream('/key', { maxConnectionsPerKey: 1, websocket: { init: () => {} } })
  })
  for (const [path, status] of [['/one', 503], ['/key', 429]] as const) {
    const socket = await dial(t, server, path)
    t.equal(await (await dial(t, server, path, { opens: false })).refused, status)
    socket.ws.close()
    await until(() => server.app.connections.size === 0)
    await dial(t, server, path)
    for (const connection of server.app.connections) connection.destroy()
  }
  const abort = new AbortController()
  await fetch(`${server.origin}/one`, { signal: abort.signal })
  const refused = await fetch(`${server.origin}/one`)
  t.equal(refused.status, 503)
  t.equal(await (await dial(t, server, '/one', { opens: false })).refused, 503, 'a stream and a WebSocket share them')
  abort.abort()
})

await t.test('the first of the client\'s subprotocols that the route knows is agreed on, else none', async (t) => {
  const asked: Array<[known: string[] | undefined, offered: string[], agreed: string | null]> = [
    [['v2', 'v1'], ['v1', 'v2'], 'v1'],
    [['v2'], ['x', 'v2'], 'v2'],
    [['v2'], [], null],
    [undefined, [], null]
  ]
  const server = await start(t, (app) => {
    for (const [n, [protocols]] of asked.entries()) app.stream(`/${n}`, { websocket: { init: (_request, { protocol }) => ({ reply: { protocol } }), protocols: protocols ?? [] } })
    app.stream('/other', { websocket: { init: () => {}, protocols: ['v3'] } })
    app.stream('/none', { websocket: { init: () => {} } })
  })
  for (const [n, [, offered, agreed]] of asked.entries()) {
    const socket = await dial(t, server, `/${n}`, { protocols: offered })
    t.same(await socket.next(), { protocol: agreed })
    t.equal(socket.ws.protocol, agreed ?? '')
  }
  const witness = new Witness(server.app)
  for (const [n, path] of ['/other', '/none'].entries()) {
    const refused = await dial(t, server, path, { protocols: ['v1'], opens: false })
    t.match(await refused.closed, { code: 1006 }, 'a client that wants one leaves when it gets none')
    await witness.open(n)
  }
  await witness.sees(t, 'client')
})

await t.test('a client that is gone before its request comes to the route takes no place', async (t) => {
  const waiting: Array<() => void> = []
  const server = await start(t, (app) => {
    app.stream('/', {
      maxConnections: 1,
      onRequest: async () => { await new Promise<void>((resolve) => { waiting.push(resolve) }) },
      websocket: { init: () => {} }
    })
  })
  const arrived = once(server.app.server, 'upgrade') as Promise<[unknown, Duplex]>
  const client = (await connect(t, server.port)).get('/', { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' })
  const [, socket] = await arrived
  await until(() => waiting.length === 1)
  const closed = new Promise((resolve) => { socket.once('close', resolve) })
  client.reset()
  await closed
  waiting[0]?.()
  const next = await dial(t, server, '/', { opens: false })
  await until(() => waiting.length === 2)
  waiting[1]?.()
  t.equal(await Promise.race([next.refused, once(next.ws, 'open').then(() => 101)]), 101)
  t.same([[...server.app.connections.opening].length, server.app.connections.size], [0, 1])
})

await t.test('a client that leaves while its rights are looked up is not upgraded', async (t) => {
  let open = (_isAllowed: boolean) => {}
  const asked: string[] = []
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'a', maxConnections: 1, websocket: { init: () => { asked.push('init') } } })
  }, {
    pastelli: {
      canSubscribe: () => {
        asked.push('canSubscribe')
        return new Promise((resolve) => { open = resolve })
      }
    }
  })
  const socket = await dial(t, server, '/', { opens: false })
  await until(() => asked.length === 1)
  socket.ws.terminate()
  await until(() => [...server.app.connections.opening].length === 0, 'its place is free')
  open(true)
  const next = await dial(t, server, '/', { opens: false })
  await until(() => asked.length === 2)
  open(true)
  await until(() => asked.length === 3)
  t.same(asked, ['canSubscribe', 'canSubscribe', 'init'])
  next.ws.close()
})

await t.test('a connection that is cut while its rights are looked up is not upgraded either', async (t) => {
  let open = (_isAllowed: boolean) => {}
  const server = await start(t, (app) => { app.stream('/', { topics: 'a', websocket: {} }) }, {
    pastelli: { canSubscribe: () => new Promise((resolve) => { open = resolve }) }
  })
  const socket = await dial(t, server, '/', { opens: false })
  const [connection] = await until(() => {
    const opening = [...server.app.connections.opening]
    return opening.length === 1 ? opening : null
  })
  connection?.destroy()
  open(true)
  t.match(await socket.closed, { code: 1006 })
  t.equal(server.app.connections.size, 0)
})

await t.test('one that is closed meanwhile is upgraded, and learns why', async (t) => {
  let open = (_isAllowed: boolean) => {}
  const server = await start(t, (app) => { app.stream('/', { topics: 'a', websocket: {} }) }, {
    pastelli: { canSubscribe: () => new Promise((resolve) => { open = resolve }) }
  })
  const socket = await dial(t, server, '/', { opens: false })
  const [connection] = await until(() => {
    const opening = [...server.app.connections.opening]
    return opening.length === 1 ? opening : null
  })
  connection?.close('expired')
  open(true)
  t.match(await socket.closed, { code: 1008 })
})

await t.test('what is wrong with a handler is said when it is declared', async (t) => {
  const server = await start(t, () => {})
  const { app } = server
  const wrong: Array<[options: object, code: string, about: string]> = [
    [{ websocket: {} }, 'PST_ERR_OPTION', 'at least one of init, handle, info, terminate'],
    [{ websocket: null }, 'PST_ERR_OPTION', '"websocket"'],
    [{ websocket: true }, 'PST_ERR_OPTION', '"websocket"'],
    [{ websocket: { init: 'hello' } }, 'PST_ERR_OPTION', '"websocket.init"'],
    [{ websocket: { init: () => {}, encode: 'json' } }, 'PST_ERR_OPTION', '"websocket.encode"'],
    [{ websocket: { init: () => {}, onMessage: () => {} } }, 'PST_ERR_OPTION', '"websocket.onMessage"'],
    [{ websocket: { init: () => {}, protocols: 'v1' } }, 'PST_ERR_OPTION', '"websocket.protocols"'],
    [{ websocket: { init: () => {}, protocols: ['a b'] } }, 'PST_ERR_OPTION', '"websocket.protocols"'],
    [{ websocket: { init: () => {}, maxPayload: 2 * 2 ** 20 } }, 'PST_ERR_OPTION', 'at most that of the server (1048576)'],
    [{ websocket: { init: () => {}, allowedOrigins: 'https://a.example' } }, 'PST_ERR_OPTION', '"websocket.allowedOrigins"'],
    [{ websocket: { init: () => {} }, method: 'POST' }, 'PST_ERR_OPTION', '"method"'],
    [{ websocket: { init: () => {} }, resumable: () => 'key' }, 'PST_ERR_OPTION', '"resumable"'],
    [{}, 'PST_ERR_ARGUMENT', 'a handler where neither topics nor a websocket are given']
  ]
  for (const [options, code, about] of wrong) {
    try {
      app.stream('/', options as never)
      t.fail(about)
    } catch (error) {
      t.match(error, { code })
      t.match((error as Error).message, about)
    }
  }
})

await t.test('without WebSockets, such a route can\'t be declared, and all else goes on', async (t) => {
  const server = await start(t, (app) => {
    t.throws(() => app.stream('/', { websocket: { init: () => {} } }), { code: 'PST_ERR_NO_WEBSOCKETS' })
    t.notOk(app.hasDecorator('websocketServer'))
    app.stream('/', () => {})
  }, { pastelli: { websocket: false } })
  const response = await fetch(server.origin, { headers: { connection: 'upgrade', upgrade: 'h2c' } }).catch(() => fetch(server.origin))
  t.equal(response.status, 200)
  await response.body?.cancel()
})

await t.test('where somebody else answers upgrades, Pastelli leaves them to it', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.server.on('upgrade', (_request, socket) => { socket.end('HTTP/1.1 418 I am a teapot\r\n\r\n') })
  await app.register(pastelli)
  t.throws(() => app.stream('/', { websocket: { init: () => {} } }), { code: 'PST_ERR_NO_WEBSOCKETS' })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  t.equal(await (await dial(t, { origin }, '/', { opens: false })).refused, 418)
})

await t.test('a @fastify/websocket that the app has registered before is used', async (t) => {
  const server = await start(t, (app) => {
    app.get('/plain', { websocket: true }, (socket) => { socket.on('message', (data) => { socket.send(data) }) })
    app.stream('/', { websocket: { handle: (message) => ({ reply: message }), maxPayload: 500, protocols: ['v1'] } })
    t.throws(() => app.stream('/big', { websocket: { handle: () => {}, maxPayload: 1_001 } }), { code: 'PST_ERR_OPTION' })
  }, { before: (app) => app.register(websocket, { options: { maxPayload: 1_000, perMessageDeflate: { threshold: 0 } } }) })
  const plain = await dial(t, server, '/plain')
  plain.send('echo')
  t.equal(String(await plain.raw()), 'echo')
  const socket = await dial(t, server, '/', { protocols: ['v0', 'v1'] })
  t.equal(socket.ws.protocol, 'v1')
  t.match(socket.ws.extensions, 'permessage-deflate')
  socket.send('what comes compressed is answered uncompressed')
  t.equal(await socket.raw(), 'what comes compressed is answered uncompressed')
  socket.send('x'.repeat(501))
  t.equal((await socket.closed).code, 1009)
})

for (const [what, given, own, limit] of [['no', 0, 100, 100], ['a larger', 1_000, 100, 100], ['a smaller', 50, 100, 50]] as const) {
  await t.test(`with ${what} limit of the app's own @fastify/websocket, messages of up to ${limit} bytes are taken`, async (t) => {
    const server = await start(t, (app) => {
      app.stream('/', { websocket: { handle: (message) => ({ reply: message }) } })
    }, { pastelli: { websocket: { maxPayload: own } }, before: (app) => app.register(websocket, { options: { maxPayload: given } }) })
    const socket = await dial(t, server, '/')
    socket.send('x'.repeat(limit))
    t.equal(await socket.raw(), 'x'.repeat(limit))
    socket.send('x'.repeat(limit + 1))
    t.equal((await socket.closed).code, 1009)
  })
}

await t.test('without WebSockets of Pastelli\'s, a @fastify/websocket that the app registers after it is left alone', async (t) => {
  const server = await start(t, async (app) => {
    await app.register(websocket)
    app.get('/plain', { websocket: true }, (socket) => { socket.on('message', (data) => { socket.send(data) }) })
  }, { pastelli: { websocket: false } })
  const socket = await dial(t, server, '/plain')
  socket.send('echo')
  t.equal(String(await socket.raw()), 'echo')
  t.same(server.noise(), [])
})

await t.test('an app\'s own WebSocket routes work through the one that Pastelli registers', async (t) => {
  const server = await start(t, (app) => {
    app.get('/plain', { websocket: true }, (socket, request) => {
      t.ok(request.ws)
      socket.on('message', (data) => { socket.send(data) })
    })
    app.stream('/', () => {})
  })
  const socket = await dial(t, server, '/plain')
  socket.send('echo')
  t.equal(String(await socket.raw()), 'echo')
})
