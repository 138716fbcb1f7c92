/** A WebSocket on a stream route: what comes in, what goes out, and how it ends. */
import t from 'tap'
import type { CloseReason, Connection } from '../../index.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

await t.test('one path serves an event stream by GET and a WebSocket by upgrade', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { init: (_request, connection) => connection.event('over a socket') } }, (_request, reply) => { reply.event('over HTTP') })
  })
  const socket = await dial(t, server, '/')
  t.same(await socket.next(), { data: 'over a socket' })
  const abort = new AbortController()
  const response = await fetch(server.origin, { signal: abort.signal })
  t.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const { value } = await response.body!.getReader().read()
  t.equal(Buffer.from(value!).toString(), 'data: over HTTP\n\n')
  abort.abort()
})

await t.test('text and bytes are told apart, both ways', async (t) => {
  const got: Array<string | Buffer> = []
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { handle (message) { got.push(message); return { reply: message } } } })
  })
  const socket = await dial(t, server, '/')
  socket.send('größer')
  socket.send(Buffer.from([0, 255, 128]))
  socket.send('')
  t.equal(await socket.raw(), 'größer')
  t.same(await socket.raw(), Buffer.from([0, 255, 128]))
  t.equal(await socket.raw(), '')
  t.same(got, ['größer', Buffer.from([0, 255, 128]), ''])
})

await t.test('messages of every length of the wire arrive whole, text and binary', async (t) => {
  const sizes = [0, 1, 125, 126, 127, 2047, 2048, 2049, 16_383, 16_384, 65_535, 65_536, 200_000]
  const server = await start(t, (app) => {
    app.stream('/', {
      websocket: {
        async init (_request, connection) {
          for (const size of sizes) {
            await connection.chunk('é'.repeat(size))
            await connection.chunk(Buffer.alloc(size, 0xfe))
          }
        }
      }
    })
  })
  const socket = await dial(t, server, '/')
  for (const size of sizes) {
    t.equal(await socket.raw(), 'é'.repeat(size), `${size} characters`)
    t.ok((await socket.raw() as Buffer).equals(Buffer.alloc(size, 0xfe)), `${size} bytes`)
  }
})

await t.test('what a handler answers is sent, and then it closes', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { handle: (message) => JSON.parse(String(message)) } })
  })
  const answers: Array<[answer: object, reply: unknown, code: number, reason: string]> = [
    [{ reply: { a: 1 }, close: true }, '{"a":1}', 1000, ''],
    [{ reply: 'bye', close: 4001 }, 'bye', 4001, ''],
    [{ reply: 0, close: { code: 3000, reason: 'näher' } }, '0', 3000, 'näher'],
    [{ reply: null, close: {} }, 'null', 1000, '']
  ]
  const witness = new Witness(server.app)
  for (const [answer, reply, code, reason] of answers) {
    const socket = await dial(t, server, '/')
    socket.send(JSON.stringify(answer))
    t.equal(await socket.raw(), reply)
    t.same(await socket.closed, { code, reason })
  }
  await witness.sees(t, 'server')
})

await t.test('the parts of a handler run one after the other, in the order in which things come', async (t) => {
  const order: string[] = []
  const gates = new Map<string, () => void>()
  const wait = (name: string) => new Promise<void>((resolve) => {
    order.push(name)
    gates.set(name, resolve)
  })
  const server = await start(t, (app) => {
    app.stream('/', {
      websocket: {
        init: async () => await wait('init'),
        handle: async (message) => await wait(String(message)),
        info: async (message: string) => await wait(message),
        terminate: async (reason) => await wait(`terminate ${reason}`)
      }
    })
  })
  const witness = new Witness(server.app)
  const socket = await dial(t, server, '/')
  const connection = await witness.open()
  const open = async (name: string) => { (await until(() => gates.get(name), `${name} has begun`))() }
  await until(() => order.includes('init'))
  socket.send('one')
  socket.send('two')
  await open('init')
  await until(() => order.includes('one'))
  t.equal(connection.info('three'), true)
  socket.ws.close(4000)
  await open('one')
  await open('two')
  await open('three')
  await open('terminate client')
  t.same(order.filter((name) => name !== 'three'), ['init', 'one', 'two', 'terminate client'])
  t.ok(order.includes('three'))
  await witness.sees(t, 'client')
})

await t.test('a handler that fails closes with 1011 and the reason error, and is logged once', async (t) => {
  const parts: Array<[string, object]> = [
    ['init', { init: () => { throw new Error('init') } }],
    ['init', { init: async () => { throw new Error('init') } }],
    ['handle', { handle: () => { throw new Error('handle') } }],
    ['handle', { handle: async () => { throw new Error('handle') } }],
    ['info', { info: () => { throw new Error('info') } }],
    ['handle', { handle: () => ({ answer: 1 }) }],
    ['handle', { handle: () => 'text' }],
    ['handle', { handle: function * () { yield 'text' } }],
    ['handle', { handle: async function * () { yield 'text' } }],
    ['handle', { handle: () => ({ close: null }) }],
    ['handle', { handle: () => ({ close: 1005 }) }],
    ['handle', { handle: () => ({ close: { code: 1000, reason: 'x'.repeat(124) } }) }],
    ['handle', { handle: () => ({ close: 'now' }) }],
    ['handle', { handle: () => ({ reply: () => {} }) }]
  ]
  for (const [part, handler] of parts) {
    const ended: CloseReason[] = []
    const server = await start(t, (app) => {
      app.stream('/', { websocket: { ...handler, terminate: (reason) => { ended.push(reason) } } })
    })
    const witness = new Witness(server.app)
    const socket = await dial(t, server, '/')
    const connection = await witness.open()
    socket.send('x')
    if (part === 'info') connection.info('x')
    t.equal((await socket.closed).code, 1011, part)
    await witness.sees(t, 'error')
    t.same(server.noise().map(({ msg }) => msg), [`the "${part}" of a WebSocket failed`])
    await until(() => ended.length === 1)
    t.same(ended, ['error'])
  }
})

await t.test('a terminate that fails is logged', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { terminate: async () => { throw new Error('too late') } } })
  })
  const witness = new Witness(server.app)
  const socket = await dial(t, server, '/')
  socket.ws.close()
  const line = await server.logged('the "terminate" of a WebSocket failed')
  t.equal(line.err?.message, 'too late')
  await witness.sees(t, 'client')
})

await t.test('info throws where no handler takes it, and answers false once the connection has ended', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { handle: () => {} } }, () => {})
  })
  const witness = new Witness(server.app)
  const socket = await dial(t, server, '/')
  const abort = new AbortController()
  void fetch(server.origin, { signal: abort.signal }).catch(() => {})
  const connections = [await witness.open(0), await witness.open(1)]
  for (const connection of connections) t.throws(() => connection.info(1), { code: 'PST_ERR_INFO' })
  socket.ws.close()
  abort.abort()
  await witness.sees(t, 'client')
  for (const connection of connections) t.equal(connection.info(1), false)
})

await t.test('a connection is in the registry like any other, and the log says how it ended', async (t) => {
  const seen: Connection[] = []
  const server = await start(t, (app) => {
    app.stream('/:room', {
      websocket: {
        init (request, connection) {
          seen.push(connection)
          connection.name = 'ada'
          Object.assign(connection.state, request.params)
          t.equal(this.server, app.server)
          connection.event({ hi: 'dear' }, { event: 'hello', id: 7, retry: 9 })
          connection.comment('nothing that a socket could say')
        }
      }
    })
  })
  const witness = new Witness(server.app)
  const socket = await dial(t, server, '/lobby?lastEventId=3')
  t.same(await socket.next(), { id: '7', event: 'hello', retry: 9, data: { hi: 'dear' } })
  const [connection] = seen
  t.equal(connection, await witness.open())
  t.match(connection, { transport: 'websocket', route: '/:room', lastEventId: '3', name: 'ada', state: { room: 'lobby' }, events: 1, protocol: null })
  t.same(server.app.connections.named('ada'), [connection])
  connection?.close()
  t.same(await socket.closed, { code: 1000, reason: '' })
  await witness.sees(t, 'server')
  t.match(await server.logged('stream closed'), { level: 30, connection: connection?.id, reason: 'server', events: 1 })
})

await t.test('a route that is a WebSocket only answers 426 to all else', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { websocket: { init: () => {} } }) })
  for (const method of ['GET', 'HEAD']) {
    const response = await fetch(server.origin, { method })
    t.equal(response.status, 426)
    t.equal(response.headers.get('upgrade'), 'websocket')
    t.equal(response.headers.get('connection'), 'upgrade')
    if (method === 'GET') t.match(await response.json(), { code: 'PST_ERR_UPGRADE_REQUIRED' })
  }
})

await t.test('a stream route without a WebSocket answers 400 to an upgrade', async (t) => {
  const server = await start(t, (app) => { app.stream('/', () => {}) })
  const socket = await dial(t, server, '/', { opens: false })
  t.equal(await socket.refused, 400)
})

await t.test('a source is sent with backpressure, and ends the connection', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { init: async (_request, connection) => await connection.pipe([1, 'two', Buffer.from('3')]) } })
  })
  const witness = new Witness(server.app)
  const socket = await dial(t, server, '/')
  t.same(await socket.next(), { data: 1 })
  t.same(await socket.next(), { data: 'two' })
  t.same(await socket.raw(), Buffer.from('3'))
  t.equal((await socket.closed).code, 1000)
  await witness.sees(t, 'server')
})
