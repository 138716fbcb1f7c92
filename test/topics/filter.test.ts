/** Who of the subscribers does not get an event: those whose filter says no, and those it excepts; live and replayed. */
import t from 'tap'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { memoryLog, type TopicEvent } from '../../index.ts'
import { start } from '../support/server.ts'
import { subscribe } from '../support/subscriber.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Query { from: string, name: string, topic: string }

const query = (request: FastifyRequest) => request.query as Query

// Numbers from `?from=` on.
const numbers = (app: FastifyInstance) => {
  app.stream('/', (request, reply) => {
    const from = Number(query(request).from)
    reply.connection.subscribe('n', { filter: ({ data }) => data as number >= from })
  })
}

await t.test('a filter sees the event, and lets through what it answers true for', async (t) => {
  const seen: TopicEvent[] = []
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.connection.subscribe(['a', 'b'], {
        filter: (event) => {
          seen.push(event)
          return event.event === 'wanted'
        }
      })
    })
  })
  const client = await subscribe(t, origin, '/')
  const ids = [
    app.topics.publish('a', { n: 1 }, { event: 'wanted' }),
    app.topics.publish('a', [2]),
    app.topics.publish('b', 'text', { event: 'wanted' }),
    app.topics.publish('c', 'not subscribed')
  ]
  await client.count(2)
  t.same(client.data, ['{"n":1}', 'text'])
  t.same(client.ids, [ids[0], ids[2]])
  t.same(seen, [
    { topic: 'a', id: ids[0], event: 'wanted', data: { n: 1 } },
    { topic: 'a', id: ids[1], event: undefined, data: [2] },
    { topic: 'b', id: ids[2], event: 'wanted', data: 'text' }
  ])
})

await t.test('each connection has its own, and a topic without one gets everything', async (t) => {
  const { app, origin } = await start(t, (app) => {
    numbers(app)
    app.stream('/all', { topics: 'n' })
  })
  const clients = [await subscribe(t, origin, '/?from=2'), await subscribe(t, origin, '/?from=4'), await subscribe(t, origin, '/all')]
  for (let n = 0; n < 6; n++) app.topics.publish('n', n)
  for (const client of clients) await client.until('data: 5\n\n')
  t.same(clients.map(({ data }) => data.join()), ['2,3,4,5', '4,5', '0,1,2,3,4,5'])
})

await t.test('a shared filter is asked once for all who share it', async (t) => {
  let asked = 0
  const filter = ({ data }: { data: unknown }) => {
    asked++
    return data as number % 2 === 0
  }
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.connection.subscribe('n', { filter }) })
  })
  const clients = await Promise.all(Array.from({ length: 10 }, () => subscribe(t, origin, '/')))
  for (let n = 0; n < 5; n++) app.topics.publish('n', n)
  for (const client of clients) await client.count(3)
  t.same(clients.map(({ data }) => data.join()), clients.map(() => '0,2,4'))
  t.equal(asked, 5)
})

await t.test('a replay is filtered as well, and the client is never told of a gap for what was not for it', async (t) => {
  const { app, origin } = await start(t, numbers)
  const first = await subscribe(t, origin, '/?from=3')
  for (let n = 0; n < 5; n++) app.topics.publish('n', n)
  await first.count(2)
  first.leave()
  for (let n = 2; n < 6; n++) app.topics.publish('n', n)
  const second = await subscribe(t, origin, '/?from=3', { lastEventId: first.lastEventId })
  app.topics.publish('n', 7)
  app.topics.publish('n', 1)
  app.topics.publish('n', 8)
  await second.count(5)
  t.same([first.data.join(), second.data.join()], ['3,4', '3,4,5,7,8'])
  t.same(second.gaps, [])
})

await t.test('subscribed again, a topic gets the new filter', async (t) => {
  const { app, origin } = await start(t, numbers)
  const client = await subscribe(t, origin, '/?from=100')
  const [connection] = app.connections
  app.topics.publish('n', 1)
  connection?.subscribe('n', { filter: ({ data }) => data === 2 })
  for (const n of [1, 2, 3]) app.topics.publish('n', n)
  connection?.subscribe('n')
  for (const n of [4, 5]) app.topics.publish('n', n)
  await client.until('data: 5')
  t.same(client.data, ['2', '4', '5'])
})

await t.test('a filter that throws ends its own streams with error, live or on replay, and nobody else\'s', async (t) => {
  const broken = ({ data }: { data: unknown }) => {
    if (data === 'break') throw new Error('broken filter')
    return true
  }
  const { app, origin, lines } = await start(t, (app) => {
    app.stream('/broken', (_request, reply) => { reply.connection.subscribe('n', { filter: broken }) })
    app.stream('/', { topics: 'n' })
  })
  const witness = new Witness(app)
  const victims = [await subscribe(t, origin, '/broken'), await subscribe(t, origin, '/broken')]
  const healthy = await subscribe(t, origin, '/')
  const before = app.topics.publish('n', 1)
  await healthy.count(1)
  app.topics.publish('n', 'break')
  app.topics.publish('n', 2)
  await until(() => witness.closed.length === 2)
  await t.rejects(subscribe(t, origin, '/broken', { lastEventId: before as string }), { code: 'ECONNRESET' })
  app.topics.publish('n', 3)
  await healthy.count(4)
  t.same(healthy.data, ['1', 'break', '2', '3'])
  t.same(victims.map(({ data }) => data), [['1'], ['1']])
  t.same(witness.closed.map(({ reason }) => reason), ['error', 'error', 'error'])
  t.same(lines('a stream failed').map(({ err }) => err?.message), ['broken filter', 'broken filter', 'broken filter'])
  t.equal(app.topics.subscribers('n'), 1)
})

await t.test('a filter that throws while a client catches up ends that stream, and not the process', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.connection.subscribe('n', {
        after: 'earliest',
        filter: ({ data }) => {
          if ((data as string).startsWith('break')) throw new Error('broken filter')
          return true
        }
      })
    })
  })
  for (let i = 0; i < 30; i++) app.topics.publish('n', `${i === 25 ? 'break' : 'good'} ${'x'.repeat(10_000)}`)
  const witness = new Witness(app)
  const client = await subscribe(t, origin, '/')
  await client.ended()
  await witness.sees(t, 'error')
  t.ok(client.data.length > 5 && client.data.length < 25, `it had caught up with ${client.data.length} of 25`)
})

await t.test('a filter that ends its own connection harms nobody', async (t) => {
  for (const end of ['close', 'destroy'] as const) {
    const { app, origin } = await start(t, (app) => {
      app.stream('/bad', (_request, reply) => {
        const { connection } = reply
        connection.subscribe('n', {
          filter: ({ data }) => {
            if (data === 2) connection[end]()
            return true
          }
        })
      })
      app.stream('/', { topics: 'n' })
    })
    const bad = await subscribe(t, origin, '/bad')
    const good = await subscribe(t, origin, '/')
    for (let n = 0; n < 5; n++) {
      app.topics.publish('n', n)
      if (n % 2 === 1) await new Promise(setImmediate)
    }
    await good.count(5)
    t.same(good.data.join(), '0,1,2,3,4')
    await bad.ended()
    t.equal(new Set(bad.ids).size, bad.ids.length, 'it got nothing twice')
    t.equal(app.topics.subscribers('n'), 1, end)
    good.leave()
    await until(() => app.topics.subscribers('n') === 0)
  }
})

await t.test('a filter that sends something to its own connection duplicates nothing, live or on replay', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, { connection }) => connection.subscribe('a', {
      filter ({ data }) {
        connection.event(`asked about ${String(data)}`)
        return true
      }
    }))
  })
  const before = app.topics.position
  for (let n = 0; n < 3; n++) app.topics.publish('a', n)
  const client = (await connect(t, port)).get('/', { 'Last-Event-ID': before })
  await client.until('\ndata: 2\n')
  app.topics.publish('a', 3)
  await client.until('\ndata: 3\n')
  const { body } = client.response
  t.same([...body.toString().matchAll(/^data: (\d)$/gm)].map(([, n]) => n), ['0', '1', '2', '3'])
  t.same([...body.toString().matchAll(/^data: asked about (\d)$/gm)].map(([, n]) => n), ['0', '1', '2', '3'])
})

await t.test('a filter that publishes duplicates nothing', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.connection.subscribe(['n', 'echo'], {
        filter: ({ topic, data }) => {
          if (topic === 'n') app.topics.publish('echo', data)
          return true
        }
      })
    })
  })
  const client = await subscribe(t, origin, '/')
  for (let n = 0; n < 5; n++) app.topics.publish('n', n)
  await client.until('data: 4')
  app.topics.publish('echo', 'last')
  await client.until('data: last')
  t.equal(new Set(client.ids).size, client.ids.length)
  t.same([...new Set(client.data)].sort(), ['0', '1', '2', '3', '4', 'last'])
})

await t.test('an excepted connection, id or name does not get it, all others do', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: 'n' }, (request, reply) => { reply.connection.name = query(request).name })
  })
  const witness = new Witness(app)
  const clients = [await subscribe(t, origin, '/?name=ann'), await subscribe(t, origin, '/?name=bob'), await subscribe(t, origin, '/?name=bob')]
  const [ann, bob] = witness.opened
  app.topics.publish('n', 'not ann', { except: ann })
  app.topics.publish('n', 'not the first bob', { except: bob?.id })
  app.topics.publish('n', 'no bob', { except: 'bob' })
  app.topics.publish('n', 'nobody has this name', { except: 'carol' })
  app.topics.publish('n', 'all')
  for (const client of clients) await client.until('data: all')
  t.same(clients.map(({ data }) => data), [
    ['not the first bob', 'no bob', 'nobody has this name', 'all'],
    ['not ann', 'nobody has this name', 'all'],
    ['not ann', 'not the first bob', 'nobody has this name', 'all']
  ])
})

await t.test('who is excepted from an event that is larger than all that is retained is neither cut nor told of a gap', async (t) => {
  for (const overflow of ['disconnect', 'skip'] as const) {
    const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'n' }) }, { pastelli: { log: memoryLog({ bytes: 1_000 }), overflow } })
    const excepted = await subscribe(t, origin, '/')
    const [connection] = app.connections
    const other = await subscribe(t, origin, '/')
    app.topics.publish('n', 'x'.repeat(1_000), { except: connection })
    app.topics.publish('n', 'to all')
    await other.until('to all')
    await excepted.until('to all')
    t.same(excepted.data, ['to all'])
    t.equal(other.data.length, 2)
    t.same([excepted.gaps, other.gaps], [[], []], overflow)
    t.equal(connection?.phase, 'open')
  }
})

await t.test('one that was only to others moves the position all the same', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'n' }) })
  const client = await subscribe(t, origin, '/')
  const [connection] = app.connections
  app.topics.publish('n', 'for others', { except: connection })
  await new Promise(setImmediate)
  const id = app.topics.publish('n', 'for all')
  await client.count(1)
  t.same(client.events, [{ event: 'message', data: 'for all', id }])
})

await t.test('a name still holds when the client has come back: the replay leaves out what it published itself', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: 'n' }, (request, reply) => { reply.connection.name = query(request).name })
  })
  const first = await subscribe(t, origin, '/?name=ann')
  const other = await subscribe(t, origin, '/?name=bob')
  app.topics.publish('n', 'seen')
  await first.count(1)
  const [connection] = app.connections
  first.leave()
  await until(() => app.connections.size === 1)
  app.topics.publish('n', 'not ann', { except: 'ann' })
  app.topics.publish('n', 'not her connection of then', { except: connection })
  app.topics.publish('n', 'all')
  const second = await subscribe(t, origin, '/?name=ann', { lastEventId: first.lastEventId })
  await second.until('data: all')
  await other.until('data: all')
  t.same(second.data, ['not her connection of then', 'all'])
  t.same(other.data, ['seen', 'not ann', 'not her connection of then', 'all'])
})

await t.test('excepted and filtered records in one payload', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (request, reply) => {
      reply.connection.name = query(request).name
      reply.connection.subscribe(['n', 'm'], { filter: even })
    })
  })
  const names = ['ann', 'bob', 'carol']
  const clients = await Promise.all(names.map((name) => subscribe(t, origin, `/?name=${name}`)))
  const expected = new Map(names.map((name) => [name, [] as number[]]))
  for (let n = 0; n < 300; n++) {
    const except = n % 5 === 0 ? names[n % 3] : undefined
    app.topics.publish(n % 7 === 0 ? 'm' : 'n', n, { except })
    for (const name of names) if (n % 2 === 0 && name !== except) expected.get(name)?.push(n)
    if (n % 30 === 0) await new Promise(setImmediate)
  }
  app.topics.publish('m', 1_000)
  for (const client of clients) await client.until('data: 1000')
  t.same(clients.map(({ data }) => data.slice(0, -1).join()), names.map((name) => expected.get(name)?.join()))
})

function even ({ data }: { data: unknown }): boolean {
  return data as number % 2 === 0
}
