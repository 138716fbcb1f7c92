/** How what is published reaches the wire: one write for a tick, in order with everything else, on block boundaries only. */
import t, { type Test } from 'tap'
import type { Connection, PastelliOptions } from '../../index.ts'
import { start, type Server, type ServerOptions } from '../support/server.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Scene extends Server { client: RawClient, connection: Connection }

const turn = () => new Promise(setImmediate)

// A client subscribed to a and b that has read what comes at first.
async function open (t: Test, pastelli: PastelliOptions = {}, options: ServerOptions = {}): Promise<Scene> {
  const server = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) }, { ...options, pastelli })
  const witness = new Witness(server.app)
  const client = (await connect(t, server.port, { tls: options.tls === true })).get('/')
  await client.until('id: ')
  return { ...server, client, connection: await witness.open() }
}

// The data of the events in each chunk.
function chunks (client: RawClient): string[] {
  return client.response.chunks.map((chunk) => [...chunk.toString().matchAll(/^data: (.*)$/gm)].map(([, data]) => data).join(' ')).filter((data) => data !== '')
}

await t.test('publishes of one tick go out in one write to each connection', async (t) => {
  const { app, client, port } = await open(t)
  const other = (await connect(t, port)).get('/')
  await other.until('id: ')
  for (let n = 0; n < 16; n++) app.topics.publish(n % 2 === 0 ? 'a' : 'b', n)
  await turn()
  await turn()
  await Promise.resolve().then(() => { app.topics.publish('a', 'a promise') })
  app.topics.publish('b', 'of the same tick')
  for (const one of [client, other]) {
    await one.until('of the same tick')
    t.same(chunks(one), [Array.from({ length: 16 }, (_, n) => n).join(' '), 'a promise of the same tick'])
  }
})

await t.test('what the handler sends and where its client is go out in one write', async (t) => {
  const { port } = await start(t, (app) => { app.stream('/', { topics: 'a' }, (_request, reply) => { reply.event('hello') }) })
  const client = (await connect(t, port)).get('/')
  await client.until('id: ')
  t.match(client.response.chunks.map(String), [/^data: hello\n\nid: [\w-]+:0\n\n$/])
  t.equal(client.response.chunks.length, 1)
})

await t.test('neither a position nor a replay comes to lie within a block, also where its end starts the take-over', async (t) => {
  const half = `data: ${'x'.repeat(1_200)}`
  const { app, port } = await start(t, (app) => {
    app.stream('/', { topics: 'a', maxBuffered: 1_000 }, (_request, reply) => {
      reply.chunk(half)
      reply.chunk(' and the rest\n\n')
    })
  })
  const before = app.topics.position
  app.topics.publish('a', 'missed')
  const client = (await connect(t, port)).get('/', { 'Last-Event-ID': before })
  await client.until('data: missed\n')
  t.ok(client.response.body.toString().startsWith(`${half} and the rest\n\nid: `), client.response.body.toString().slice(1_180))
})

await t.test('a replay goes out with the head, in one write', async (t) => {
  const { app, port } = await open(t)
  const before = app.topics.position
  for (let n = 0; n < 100; n++) app.topics.publish('a', n)
  const client = (await connect(t, port)).get('/', { 'Last-Event-ID': before })
  await client.until('data: 99\n')
  t.same(chunks(client), [Array.from({ length: 100 }, (_, n) => n).join(' ')])
})

await t.test('with coalesce, what is published within the window goes out in one write', async (t) => {
  const { app, client } = await open(t, { coalesce: 100 })
  const began = performance.now()
  for (let n = 0; n < 5; n++) {
    app.topics.publish('a', n)
    await turn()
  }
  t.equal(chunks(client).length, 0)
  await client.until('data: 4')
  t.ok(performance.now() - began > 90)
  app.topics.publish('a', 5)
  await client.until('data: 5')
  t.same(chunks(client), ['0 1 2 3 4', '5'])
})

await t.test('what was sent directly before a publish in the same tick comes before it', async (t) => {
  const { app, client, connection } = await open(t)
  for (let n = 0; n < 3; n++) {
    connection.event(`direct ${n}`)
    connection.comment('a remark')
    app.topics.publish('a', `topic ${n}`)
    await turn()
    await turn()
  }
  await client.until('topic 2')
  t.equal(chunks(client).join(' '), 'direct 0 topic 0 direct 1 topic 1 direct 2 topic 2')
})

await t.test('what is published and then sent directly in the same tick both arrives, once', async (t) => {
  const { app, client, connection } = await open(t)
  for (let n = 0; n < 5; n++) {
    app.topics.publish('a', `topic-${n}`)
    connection.event(`direct-${n}`)
    if (n % 2 === 0) await turn()
  }
  await client.until((response) => /topic-4/.test(response.body.toString()) && /direct-4/.test(response.body.toString()))
  const seen = chunks(client).join(' ').split(' ')
  t.same(seen.filter((data) => data.startsWith('topic')), [0, 1, 2, 3, 4].map((n) => `topic-${n}`))
  t.same(seen.filter((data) => data.startsWith('direct')), [0, 1, 2, 3, 4].map((n) => `direct-${n}`))
})

const LARGE = 'x'.repeat(10_000)

// Over TLS nothing is taken within the tick: there a client is behind after some 100 kB, and comes back for the rest.
const PROTOCOLS: Record<string, { options: ServerOptions, counts: number[] }> = {
  'HTTP/1.1': { options: {}, counts: [1, 6, 7, 20, 100] },
  TLS: { options: { tls: true }, counts: [1, 6, 7, 20] }
}

for (const [protocol, { options, counts }] of Object.entries(PROTOCOLS)) {
  await t.test(`${protocol}: what was published before a close or an unsubscribe in the same tick arrives`, async (t) => {
    for (const end of ['close', 'unsubscribe'] as const) {
      for (const count of counts) {
        const { app, client, connection } = await open(t, {}, options)
        for (let n = 0; n < count; n++) app.topics.publish('a', n + LARGE)
        if (end === 'close') connection.close()
        else connection.unsubscribe('a')
        app.topics.publish('a', 'after')
        if (end === 'unsubscribe') app.topics.publish('b', 'last')
        await client.until(end === 'close' ? (response) => response.complete : 'data: last')
        const seen = chunks(client).join(' ').replaceAll(LARGE, '').split(' ')
        t.same(seen, [...Array.from({ length: count }, (_, n) => String(n)), ...end === 'close' ? [] : ['last']], `${count} and ${end}`)
        client.leave()
      }
    }
  })
}

await t.test('what was published before a close in the handler, in the same tick, arrives', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, (_request, reply) => {
      app.topics.publish('a', 'published')
      reply.event('sent')
      reply.closeChunk()
    })
  })
  const before = app.topics.publish('a', 'missed') as string
  const client = (await connect(t, port)).get('/', { 'Last-Event-ID': before.replace(/1$/, '0') })
  await client.until((response) => response.complete)
  t.same(chunks(client).join(' ').split(' ').sort(), ['missed', 'published', 'sent'])
  await until(() => app.topics.subscribers('a') === 0)
})

await t.test('a connection that its handler closes as expired gets nothing of its topics', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, (_request, reply) => {
      app.topics.publish('a', 'published')
      reply.event('sent')
      reply.connection.expire(Date.now() - 1)
    })
  })
  const client = (await connect(t, port)).get('/', { 'Last-Event-ID': app.topics.position })
  await client.until((response) => response.complete)
  t.equal(client.response.body.toString(), 'data: sent\n\n')
})

await t.test('a topic event never cuts into what the app writes with chunk', async (t) => {
  const { app, client, connection } = await open(t)
  connection.chunk('data: half ')
  app.topics.publish('a', 'one')
  await turn()
  await turn()
  connection.chunk(Buffer.from('of it\n'))
  app.topics.publish('a', 'two')
  await turn()
  t.notMatch(client.text, 'one')
  connection.chunk('\n')
  await client.until('data: two')
  t.match(client.response.body.toString(), /data: half of it\n\nid: \S+\ndata: one\n\nid: \S+\ndata: two\n\n$/)
  app.topics.publish('a', 'three')
  connection.chunk('data: begun in the tick ')
  await turn()
  connection.chunk('of a publish\n\n')
  await client.until('data: three')
  t.match(client.response.body.toString(), /data: begun in the tick of a publish\n\nid: \S+\ndata: three\n\n$/)
})

await t.test('nor does a replay, the position or a gap', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.chunk('data: half ')
      reply.connection.subscribe('a')
    })
  })
  const position = app.topics.position
  app.topics.publish('a', 'missed')
  const witness = new Witness(app)
  const clients = [position, 'malformed', ''].map(async (lastEventId) => (await connect(t, port)).get('/', { 'Last-Event-ID': lastEventId }))
  await until(() => witness.opened.length === 3)
  app.topics.publish('a', 'live')
  await turn()
  for (const connection of witness.opened) connection.chunk('of it\n\n')
  for (const client of await Promise.all(clients)) {
    await client.until('data: live')
    t.match(client.response.body.toString(), /^data: half of it\n\n(id: .*\n\n|event: gap\nid: .*\ndata: .*\n\n)(id: .*\ndata: .*\n\n)*$/)
  }
})

await t.test('an event or a comment that ends half a block lets topic events through again', async (t) => {
  for (const end of ['event', 'comment'] as const) {
    const { app, client, connection } = await open(t)
    connection.chunk('data: half\n')
    app.topics.publish('a', 'topic')
    await turn()
    connection[end]('the other half')
    await client.until('data: topic')
    app.topics.publish('a', 'next')
    await client.until('data: next')
  }
})

await t.test('chunk and publish in turns: whole blocks, in order', async (t) => {
  const { app, client, connection } = await open(t)
  for (let n = 0; n < 200; n++) {
    if (n % 3 !== 0) app.topics.publish('a', `t${n}`)
    connection.chunk(`data: c${n}`)
    if (n % 7 === 0) await turn()
    if (n % 2 === 0) app.topics.publish('b', `u${n}`)
    connection.chunk(n % 5 === 0 ? Buffer.from('\n\n') : '\r\n\r\n')
    if (n % 11 === 0) await turn()
  }
  app.topics.publish('a', 'end')
  await client.until('data: end')
  const seen = client.response.body.toString().match(/^data: \w+\r?\n\r?\n/gm)?.map((block) => block.slice(6).trim()) ?? []
  t.same(seen.filter((data) => data.startsWith('c')), Array.from({ length: 200 }, (_, n) => `c${n}`))
  const topics = seen.filter((data) => /^[tu]/.test(data))
  t.equal(topics.length, 133 + 100)
  t.same(topics, topics.slice().sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)) || (a < b ? -1 : 1)))
})

await t.test('a pass over many connections lets others have the event loop', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      // One group for each: the filter's work is done for each of them, a third of a millisecond.
      const filter = () => {
        asked++
        for (const end = performance.now() + 0.3; performance.now() < end;);
        return true
      }
      reply.connection.subscribe('a', { filter })
    })
  })
  let asked = 0
  const clients = await Promise.all(Array.from({ length: 200 }, () => subscribe(t, origin, '/')))
  const perTurn: number[] = []
  let isDone = false
  const count = () => {
    perTurn.push(asked)
    asked = 0
    if (!isDone) setImmediate(count)
  }
  app.topics.publish('a', 1)
  setImmediate(count)
  for (const client of clients) await client.count(1)
  isDone = true
  // 5 ms, and what comes until the clock is read again.
  t.ok(Math.max(...perTurn) <= 40, `${Math.max(...perTurn)} of 200 in a turn`)
  t.equal(perTurn.reduce((sum, n) => sum + n, 0) + asked, 200)
})

await t.test('a pass that yields while more and more is published holds the event loop no longer for that', async (t) => {
  let latest: unknown
  let reached = 0
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      const filter = () => {
        if (latest === filter) return false
        latest = filter
        reached++
        for (const end = performance.now() + 0.2; performance.now() < end;);
        return false
      }
      reply.connection.subscribe('a', { filter })
    })
  })
  await Promise.all(Array.from({ length: 200 }, () => subscribe(t, origin, '/')))
  const perTurn: number[] = []
  // So much a turn that it is not left to gather until the end of the tick.
  for (let n = 0; n < 50; n++) {
    app.topics.publish('a', 'x'.repeat(300_000))
    await turn()
    perTurn.push(reached)
    reached = 0
  }
  // 5 ms at once, 5 ms in the next turn, and what comes until the clock is read again.
  t.ok(Math.max(...perTurn) <= 90, `reached in a turn: ${perTurn.join(' ')}`)
})

await t.test('where more is published during a pass than waits for it, those who are reached last read it from the log', async (t) => {
  let latest: unknown
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      const filter = () => {
        if (latest === filter) return true
        latest = filter
        for (const end = performance.now() + 0.5; performance.now() < end;);
        return true
      }
      reply.connection.subscribe('a', { filter })
    })
  })
  const clients = await Promise.all(Array.from({ length: 60 }, () => subscribe(t, origin, '/')))
  for (let n = 0; n < 4_000; n++) {
    app.topics.publish('a', n)
    if (n % 400 === 399) await turn()
  }
  for (const client of clients) {
    await until(() => client.events.length >= 4_000 || client.isEnded)
    t.ok(client.data.every((data, n) => data === String(n)), `${client.data.length} of 4,000 in order`)
    t.equal(client.data.length, 4_000)
  }
})
