/** Every way in which an open stream can end over HTTP/1.1 is reported exactly once, with its reason. */
import { getEventListeners } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { connect, type RawClient } from '../support/socket.ts'
import { start, type Server, type ServerOptions } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Scene extends Server { client: RawClient, witness: Witness }

async function open (t: Test, options: ServerOptions = {}): Promise<Scene> {
  let witness: Witness | undefined
  const server = await start(t, (app) => {
    witness = new Witness(app)
    app.stream('/', (_request, reply) => { reply.event('hello') })
  }, options)
  const client = (await connect(t, server.port, { tls: options.tls })).get('/')
  await client.until('data: hello\n\n')
  return { ...server, client, witness: witness as Witness }
}

for (const tls of [false, true]) {
  await t.test(tls ? 'over TLS' : 'over TCP', async (t) => {
    await t.test('a client that leaves', async (t) => {
      const { client, witness } = await open(t, { tls })
      client.leave()
      await witness.sees(t, 'client')
    })

    await t.test('a client that resets', async (t) => {
      const { client, witness } = await open(t, { tls })
      client.reset()
      await witness.sees(t, 'client')
    })

    await t.test('a client that closes its half and goes on reading', async (t) => {
      const { client, witness } = await open(t, { tls })
      client.halfClose()
      await witness.sees(t, 'client')
    })

    await t.test('a client that sends stray bytes, and no 400 is written into its stream', async (t) => {
      const { client, witness } = await open(t, { tls })
      client.write('stray bytes\r\n\r\n')
      await witness.sees(t, 'client')
      await client.ended()
      t.notMatch(client.text, '400')
    })

    await t.test('a client that sends a stray byte and leaves', async (t) => {
      const { client, witness } = await open(t, { tls })
      client.write('x')
      client.leave()
      await witness.sees(t, 'client')
    })

    await t.test('the server closes, and the client sees a proper end', async (t) => {
      const { client, witness } = await open(t, { tls })
      const connection = await witness.open()
      connection.event('bye')
      connection.close()
      await client.until((response) => response.complete)
      await witness.sees(t, 'server')
      t.match(client.response.body.toString(), /hello\n\ndata: bye\n\n$/, 'behind everything sent')
    })

    await t.test('the server destroys, and the client can tell', async (t) => {
      const { client, witness } = await open(t, { tls })
      const connection = await witness.open()
      connection.destroy()
      await client.ended()
      await witness.sees(t, 'server')
      t.notOk(client.response.complete)
    })
  })
}

await t.test('stray bytes in the middle of a header do not bring a 408 into the stream', async (t) => {
  const { client, witness } = await open(t, { http: { headersTimeout: 50, connectionsCheckingInterval: 20 } } as ServerOptions)
  client.write('GET / HTTP/1.1\r\nHo')
  await witness.sees(t, 'client')
  t.notMatch(client.text, '408')
})

await t.test('after a stream has ended properly, the same socket serves on, and bad requests on it are answered', async (t) => {
  const { client, witness } = await open(t)
  const connection = await witness.open()
  connection.close()
  await client.until((response) => response.complete)
  client.get('/nowhere')
  await client.until('404')
  client.write('stray\r\n\r\n')
  await client.until('400 Bad Request')
})

await t.test('the first reason wins', async (t) => {
  const { client, witness } = await open(t)
  const connection = await witness.open()
  connection.close('expired')
  connection.close('server')
  connection.destroy('error')
  await client.ended()
  await witness.sees(t, 'expired')
})

await t.test('an unknown reason is refused, and the connection lives on', async (t) => {
  const { witness } = await open(t)
  const connection = await witness.open()
  t.throws(() => { connection.close('tired' as never) }, { code: 'PST_ERR_REASON' })
  t.throws(() => { connection.destroy('tired' as never) }, { code: 'PST_ERR_REASON' })
  t.equal(connection.phase, 'open')
})

await t.test('a linked signal that aborts cuts the connection', async (t) => {
  const { client, witness } = await open(t)
  const connection = await witness.open()
  const task = new AbortController()
  connection.link(task.signal)
  task.abort()
  await client.ended()
  await witness.sees(t, 'error')
  t.notOk(client.response.complete, 'without a proper end')
})

await t.test('a signal that is linked too late cuts at once, and one that outlives its connection holds no listener', async (t) => {
  const { witness } = await open(t)
  const connection = await witness.open()
  let listeners = 0
  const task = new AbortController()
  const { signal } = task
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => { listeners++; add(...args) }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => { listeners--; remove(...args) }
  connection.link(signal)
  t.equal(listeners, 1)
  connection.link(AbortSignal.abort())
  await witness.sees(t, 'error')
  t.equal(listeners, 0)
  connection.link(signal)
  t.equal(listeners, 0, 'linking an ended connection does nothing')
})

await t.test('a listener of the signal that cuts the connection does not end it twice', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      const { connection } = reply
      connection.signal.addEventListener('abort', () => { connection.destroy('error') })
      connection.signal.addEventListener('abort', () => { connection.close() })
    })
  }, { pastelli: { maxConnectionsPerKey: 1 } })
  const witness = new Witness(app)
  for (let i = 0; i < 3; i++) {
    const client = (await connect(t, port)).get('/')
    await client.until(':\n\n')
    const refused = (await connect(t, port)).get('/')
    await refused.until('429')
    client.leave()
    await until(() => app.connections.size === 0)
    t.equal(witness.closed.length, i + 1)
  }
  t.same(witness.closed.map(({ reason }) => reason), ['client', 'client', 'client'])
})

await t.test('many connections may share one signal, which has one listener, without a warning', async (t) => {
  const task = new AbortController()
  const warnings: Error[] = []
  const warned = (warning: Error) => { warnings.push(warning) }
  process.on('warning', warned)
  t.teardown(() => { process.removeListener('warning', warned) })
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.connection.link(task.signal) })
  })
  const witness = new Witness(app)
  const clients = await Promise.all(Array.from({ length: 20 }, async () => (await connect(t, port)).get('/')))
  await until(() => witness.opened.length === 20)
  t.equal(getEventListeners(task.signal, 'abort').length, 1)
  for (const client of clients.slice(1)) client.leave()
  await until(() => witness.closed.length === 19)
  t.equal(getEventListeners(task.signal, 'abort').length, 1)
  task.abort()
  await until(() => witness.closed.length === 20)
  t.same(app.connections.counts.error, 1)
  t.equal(getEventListeners(task.signal, 'abort').length, 0)
  t.same(warnings, [])
})

await t.test('a handler that throws after the take-over cuts the connection, and is logged once', async (t) => {
  const witnesses: Witness[] = []
  const fail = async (): Promise<never> => { throw new Error('broken') }
  const { port, lines } = await start(t, (app) => {
    witnesses.push(new Witness(app))
    app.stream('/stream', async (_request, reply) => {
      await reply.event('hello')
      await new Promise(setImmediate)
      await fail()
    })
    app.get('/plain', async (_request, reply) => {
      await new Promise(setImmediate)
      reply.sendChunked().chunk('data: hello\n\n')
      await new Promise(setImmediate)
      await fail()
    })
  })
  const [witness] = witnesses as [Witness]
  for (const path of ['/stream', '/plain']) {
    const client = (await connect(t, port)).get(path)
    await client.ended()
    t.match(client.text, 'hello')
    t.notOk(client.response.complete)
  }
  await witness.sees(t, 'error')
  t.equal(lines('stream closed').length, 2)
  await until(() => lines('Promise errored, but reply.sent = true was set').length === 2)
})

await t.test('a handler that fails before the take-over settles signal and promise, and the registry never knew', async (t) => {
  const ends: string[] = []
  const setup = (app: FastifyInstance) => {
    app.stream('/sync', (_request, reply) => {
      void reply.connection.closed.then((reason) => ends.push(`promise ${reason}`))
      reply.connection.signal.addEventListener('abort', () => { ends.push(`signal ${String(reply.connection.signal.reason)}`) })
      throw new Error('broken')
    })
    app.stream('/async', async (_request, reply) => {
      void reply.connection.closed.then((reason) => ends.push(`promise ${reason}`))
      reply.connection.signal.addEventListener('abort', () => { ends.push(`signal ${String(reply.connection.signal.reason)}`) })
      await new Promise(setImmediate)
      throw new Error('broken')
    })
    app.stream('/answer', (_request, reply) => {
      void reply.connection.closed.then((reason) => ends.push(`promise ${reason}`))
      return reply.code(403).send({ no: true })
    })
  }
  const { app, lines } = await start(t, setup)
  const witness = new Witness(app)
  for (const [path, status] of [['/sync', 500], ['/async', 500], ['/answer', 403]] as const) {
    t.equal((await app.inject(path)).statusCode, status)
  }
  await until(() => ends.length === 5)
  t.same(ends, ['signal error', 'promise error', 'signal error', 'promise error', 'promise server'])
  t.equal(witness.opened.length + witness.closed.length, 0)
  t.equal(lines('stream closed').length, 0)
})

await t.test('a client that leaves before the handler or an async hook has finished is not kept, and the registry never knew', async (t) => {
  for (const when of ['hook', 'handler', 'onSend'] as const) {
    const reached: Array<() => void> = []
    const wait = async (at: string): Promise<void> => {
      if (at === when) await new Promise<void>((resolve) => { reached.push(resolve) })
    }
    let ended: Promise<string> | undefined
    const { app, port } = await start(t, (app) => {
      app.addHook('preHandler', async () => { await wait('hook') })
      app.addHook('onSend', async () => { await wait('onSend') })
      app.stream('/', async (_request, reply) => {
        ended = reply.connection.closed
        await wait('handler')
        reply.event('hello')
      })
    })
    const witness = new Witness(app)
    let gone = false
    app.server.on('connection', (socket: Socket) => { socket.on('close', () => { gone = true }) })
    const client = (await connect(t, port)).get('/')
    const resume = await until(() => reached[0], `the ${when} runs`)
    client.leave()
    await until(() => gone)
    resume()
    t.equal(await (await until(() => ended)), 'client', when)
    t.equal(witness.opened.length, 0)
  }
})

await t.test('a pipelined stream waits for its turn, and is told when its client leaves meanwhile', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/:name', (request, reply) => {
      reply.connection.name = (request.params as { name: string }).name
      reply.event(reply.connection.name)
    })
  })
  const witness = new Witness(app)
  const client = (await connect(t, port)).get('/first').get('/second')
  await until(() => witness.opened.length === 2)
  await client.until('data: first\n\n')
  t.notMatch(client.text, 'second')
  t.same(witness.opened.map(({ transport }) => transport), ['http1', 'response'])
  const [first, second] = witness.opened
  first?.close()
  await client.until('data: second\n\n')
  t.equal(second?.phase, 'open')
  client.leave()
  await until(() => witness.closed.length === 2)
  t.same(witness.closed.map(({ reason }) => reason), ['server', 'client'])
})

await t.test('stray bytes are no more answered into a stream that waited for its turn', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.event('hello') })
  })
  const witness = new Witness(app)
  const client = (await connect(t, port)).get('/').get('/')
  await until(() => witness.opened.length === 2)
  witness.opened[0]?.close()
  await until(() => client.text.split('hello').length === 3)
  client.write('stray\r\n\r\n')
  await client.ended()
  t.notMatch(client.text, '400')
  await until(() => witness.closed.length === 2)
  t.equal(witness.closed[1]?.reason, 'client')
})

await t.test('a pipelined stream whose client leaves before its turn', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.event('hello') })
  })
  const witness = new Witness(app)
  const client = (await connect(t, port)).get('/').get('/')
  await until(() => witness.opened.length === 2)
  client.leave()
  await witness.sees(t, 'client')
})

await t.test('a stream over HTTP/1.0 ends with its connection', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.event('hello')
    })
  })
  const witness = new Witness(app)
  const left = (await connect(t, port)).write('GET / HTTP/1.0\r\n\r\n')
  await left.until('data: hello\n\n')
  left.leave()
  const closed = (await connect(t, port)).write('GET / HTTP/1.0\r\n\r\n')
  await closed.until('data: hello\n\n')
  t.match(closed.text, /\r\n\r\ndata: hello\n\n$/, 'unframed')
  ;(await witness.open(1)).close()
  await closed.ended()
  await until(() => witness.closed.length === 2)
  t.same(witness.closed.map(({ reason }) => reason).sort(), ['client', 'server'])
})
