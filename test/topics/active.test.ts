/** `active` and `idle`: a topic's first subscriber, and its last one gone, once each, however that comes about. */
import t from 'tap'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Connection } from '../../index.ts'
import { start, type Server, type ServerOptions } from '../support/server.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const turn = () => new Promise(setImmediate)

// What is told of topics, in order.
function listen ({ topics }: FastifyInstance): string[] {
  const told: string[] = []
  for (const event of ['active', 'idle'] as const) topics.on(event, (topic) => { told.push(`${event} ${topic}`) })
  return told
}

await t.test('the first subscriber makes a topic active, the last one gone makes it idle', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) })
  const told = listen(app)
  const first = await subscribe(t, origin, '/')
  t.same(told, ['active a', 'active b'])
  const second = await subscribe(t, origin, '/')
  first.leave()
  await until(() => app.topics.subscribers('a') === 1)
  t.equal(told.length, 2)
  const [connection] = app.connections
  connection?.unsubscribe('b')
  connection?.subscribe('a', { filter: () => true })
  connection?.subscribe(['a', 'c'])
  t.same(told.slice(2), ['idle b', 'active c'])
  second.leave()
  await until(() => app.connections.size === 0)
  t.same(told.slice(4).sort(), ['idle a', 'idle c'])
  await subscribe(t, origin, '/')
  t.same(told.slice(6), ['active a', 'active b'], 'and all over again')
})

interface Ending {
  end: (scene: { connection: Connection, client: RawClient, server: Server }) => unknown
  options?: ServerOptions
}

const OPEN: Record<string, Ending> = {
  'the client ends its half': { end: ({ client }) => client.halfClose() },
  'the client leaves': { end: ({ client }) => client.leave() },
  'the client resets': { end: ({ client }) => client.reset() },
  'the client sends what is no request': { end: ({ client }) => client.write('no request\r\n\r\n') },
  'the server closes': { end: ({ connection }) => { connection.close() } },
  'the server closes twice': {
    end: ({ connection }) => {
      connection.close()
      connection.destroy()
    }
  },
  'the server cuts': { end: ({ connection }) => { connection.destroy() } },
  'a linked task fails': { end: ({ connection }) => { connection.link(AbortSignal.abort()) } },
  'it expires': { end: ({ connection }) => { connection.expire(Date.now()) } },
  'it is too old': { end: () => {}, options: { pastelli: { maxAge: 50 } } },
  'it overflows': {
    end: ({ connection, client }) => {
      client.pause()
      while (connection.phase === 'open') connection.event('x'.repeat(100_000))
    }
  },
  'a write makes no progress': {
    end: ({ connection, client }) => {
      client.pause()
      connection.event('x'.repeat(20_000_000))
    },
    options: { pastelli: { writeTimeout: 100 } }
  },
  'a filter fails': {
    end: ({ connection, server: { app } }) => {
      connection.subscribe('a', { filter: () => { throw new Error('broken filter') } })
      app.topics.publish('a', 1)
    }
  },
  'the server shuts down': { end: async ({ server: { app } }) => { await app.close() } },
  'it unsubscribes': { end: ({ connection }) => { connection.unsubscribe('a') } }
}

for (const [how, { end, options }] of Object.entries(OPEN)) {
  await t.test(`an open stream: ${how}`, async (t) => {
    const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, options)
    const told = listen(server.app)
    const witness = new Witness(server.app)
    const client = (await connect(t, server.port)).get('/')
    const connection = await witness.open()
    await end({ connection, client, server })
    await until(() => told.length === 2)
    if (how === 'it unsubscribes') connection.destroy()
    else client.leave()
    await until(() => connection.phase === 'closed')
    await turn()
    t.same(told, ['active a', 'idle a'])
    t.equal(server.app.topics.subscribers('a'), 0)
  })
}

const subscribed = (reply: FastifyReply) => {
  reply.connection.subscribe('a')
  return reply.connection
}

const NEVER_OPEN: Record<string, (app: FastifyInstance) => unknown> = {
  'the handler throws': (app) => app.stream('/', (_request, reply) => {
    subscribed(reply)
    throw new Error('broken')
  }),
  'the handler rejects': (app) => app.stream('/', async (_request, reply) => {
    subscribed(reply)
    await turn()
    throw new Error('broken')
  }),
  'the handler answers something else': (app) => app.stream('/', (_request, reply) => {
    subscribed(reply)
    reply.code(403).send({ error: 'no' })
  }),
  'the handler answers something else later': (app) => app.stream('/', async (_request, reply) => {
    subscribed(reply)
    await turn()
    return { not: 'a stream' }
  }),
  'the handler answers 204': (app) => app.stream('/', (_request, reply) => {
    subscribed(reply)
    reply.code(204)
  }),
  'a hook answers something else': (app) => {
    app.addHook('onSend', async () => 'something else')
    app.stream('/', { topics: 'a' })
  },
  'a hook throws': (app) => {
    app.addHook('onSend', async () => { throw new Error('broken') })
    app.stream('/', { topics: 'a' })
  },
  'the head is one that Node refuses': (app) => app.stream('/', (_request, reply) => {
    subscribed(reply)
    reply.header('bad header', 'x')
  }),
  'the handler cuts it': (app) => app.stream('/', (_request, reply) => { subscribed(reply).destroy() }),
  'the handler closes it': (app) => app.stream('/', (_request, reply) => { subscribed(reply).close() }),
  'an ordinary route answers something else': (app) => app.get('/', (_request, reply) => {
    subscribed(reply)
    reply.send('text')
  })
}

for (const [how, setup] of Object.entries(NEVER_OPEN)) {
  await t.test(`a stream that never opened, or only to end: ${how}`, async (t) => {
    const { app, port } = await start(t, setup)
    const told = listen(app)
    const client = (await connect(t, port)).request('GET', '/', { Connection: 'close' })
    await client.ended()
    await until(() => told.length === 2 && app.connections.size === 0)
    await turn()
    t.same(told, ['active a', 'idle a'])
    t.equal(app.topics.subscribers('a'), 0)
  })
}

await t.test('a client that is gone before the take-over', async (t) => {
  let resume: (() => void) | undefined
  const { app, port } = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, async () => {
      await new Promise<void>((resolve) => { resume = resolve })
    })
  })
  const told = listen(app)
  const client = (await connect(t, port)).get('/')
  await until(() => resume)
  t.same(told, ['active a'])
  client.leave()
  await until(() => told.length === 2)
  resume?.()
  await turn()
  t.same(told, ['active a', 'idle a'])
  t.same([...app.connections.opening], [])
})

await t.test('listeners that throw or reject are logged, and keep nothing from going on', async (t) => {
  const { app, origin, lines } = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) })
  app.topics.on('active', (topic) => { throw new Error(`broken by active ${topic}`) })
  app.topics.on('idle', async (topic) => { throw new Error(`broken by idle ${topic}`) })
  const told = listen(app)
  const client = await subscribe(t, origin, '/')
  app.topics.publish('a', 'it works')
  await client.count(1)
  client.leave()
  await until(() => lines('a listener of "idle" failed').length === 2)
  t.same(told, ['active a', 'active b', 'idle a', 'idle b'])
  t.same(lines('a listener of "active" failed').map(({ err }) => err?.message), ['broken by active a', 'broken by active b'])
})

await t.test('a listener of active may publish: the first subscriber gets it', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  app.topics.on('active', (topic) => { app.topics.publish(topic, 'opened') })
  const client = await subscribe(t, origin, '/')
  await client.count(1)
  const second = await subscribe(t, origin, '/')
  app.topics.publish('a', 'live')
  await second.count(1)
  t.same(client.data, ['opened', 'live'])
  t.same(second.data, ['live'])
})

await t.test('a listener of active may end the connection', async (t) => {
  for (const end of ['close', 'destroy'] as const) {
    const { app, port } = await start(t, (app) => { app.stream('/', () => {}) })
    const told = listen(app)
    const witness = new Witness(app)
    const client = (await connect(t, port)).get('/')
    const connection = await witness.open()
    app.topics.on('active', (topic) => { if (topic === 'a') connection[end]() })
    connection.subscribe(['x', 'a', 'b'])
    await until(() => connection.phase === 'closed')
    t.same(told.slice().sort(), ['active a', 'active b', 'active x', 'idle a', 'idle b', 'idle x'], end)
    for (const topic of ['a', 'b', 'x']) {
      t.equal(app.topics.subscribers(topic), 0)
      t.ok(told.indexOf(`active ${topic}`) < told.indexOf(`idle ${topic}`))
    }
    await until(() => client.isEnded || client.response.complete)
  }
})

await t.test('a listener may subscribe and unsubscribe', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) })
  const told = listen(app)
  const witness = new Witness(app)
  const clients = [(await connect(t, port)).get('/'), (await connect(t, port)).get('/')]
  const [first, second] = [await witness.open(0), await witness.open(1)]
  app.topics.on('active', (topic) => {
    if (topic === 'a') second.subscribe(['b', 'c'])
    if (topic === 'c') first.unsubscribe('a')
  })
  app.topics.on('idle', (topic) => { if (topic === 'a') first.subscribe('d') })
  first.subscribe(['a', 'b'])
  t.same(told.slice().sort(), ['active a', 'active b', 'active c', 'active d', 'idle a'])
  t.ok(told.indexOf('active a') < told.indexOf('idle a'))
  t.same(['a', 'b', 'c', 'd'].map((topic) => app.topics.subscribers(topic)), [0, 2, 1, 1])
  for (const topic of ['a', 'b', 'c', 'd']) app.topics.publish(topic, topic)
  await clients[0]?.until('data: d')
  await clients[1]?.until('data: c')
  t.same(clients.map(({ text }) => [...text.matchAll(/data: (\w+)/g)].map(([, data]) => data)), [['b', 'd'], ['b', 'c']])
  first.destroy()
  second.destroy()
  t.same(told.slice(5).sort(), ['idle b', 'idle c', 'idle d'])
})
