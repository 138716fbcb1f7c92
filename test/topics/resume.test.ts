/** A client that comes back goes on where it was, or is told of the gap, exactly once. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import { EventSource } from 'undici'
import { memoryLog } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const turn = () => new Promise(setImmediate)
const wanted = (request: FastifyRequest) => (request.query as { topic: string | string[] }).topic
const routes = (app: FastifyInstance) => { app.stream('/', { topics: wanted }) }

function publish ({ topics }: FastifyInstance, topic: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => topics.publish(topic, from + i) as string)
}

function range (from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i))
}

await t.test('from every retained position a client gets the rest, then live events, and no gap', async (t) => {
  const { app, origin } = await start(t, routes, { pastelli: { log: memoryLog({ events: 10 }) } })
  const before = app.topics.position
  const ids = [before, ...publish(app, 'a', 1, 30)]
  const clients = await Promise.all(range(20, 30).map((n) => subscribe(t, origin, '/?topic=a', { lastEventId: ids[Number(n)] })))
  publish(app, 'a', 31, 31)
  for (const [i, client] of clients.entries()) {
    await client.until('data: 31\n')
    t.same(client.data, range(21 + i, 31), `from ${20 + i}`)
    t.same(client.gaps, [])
  }
  const newest = clients.at(-1)
  t.equal(newest?.text, `:\n\nid: ${ids[30]}\n\nid: ${app.topics.position}\ndata: 31\n\n`, 'the newest position replays nothing')
})

await t.test('from every position that was trimmed it gets one gap, and then what is live', async (t) => {
  const { app, origin } = await start(t, routes, { pastelli: { log: memoryLog({ events: 10 }) } })
  const ids = [app.topics.position, ...publish(app, 'a', 1, 30)]
  const clients = await Promise.all(range(0, 19).map((n) => subscribe(t, origin, '/?topic=a', { lastEventId: ids[Number(n)] })))
  const to = app.topics.position
  publish(app, 'a', 31, 32)
  for (const [i, client] of clients.entries()) {
    await client.until('data: 32\n')
    t.same(client.events[0], { event: 'gap', data: JSON.stringify({ reason: 'trimmed', from: ids[i], to }), id: to }, `from ${i}`)
    t.same(client.events.slice(1).map(({ data }) => data), ['31', '32'])
  }
})

await t.test('told of a gap, a client that comes back is not told again', async (t) => {
  const { app, origin } = await start(t, routes, { pastelli: { log: memoryLog({ events: 2 }) } })
  const before = app.topics.position
  publish(app, 'a', 1, 5)
  const first = await subscribe(t, origin, '/?topic=a', { lastEventId: before })
  await first.count(1)
  first.leave()
  publish(app, 'a', 6, 7)
  const second = await subscribe(t, origin, '/?topic=a', { lastEventId: first.lastEventId })
  await second.count(2)
  t.same(second.data, ['6', '7'])
  t.same(second.gaps, [])
})

await t.test('what is no position here: one gap with what is known, then live events', async (t) => {
  const { app, port } = await start(t, routes, { pastelli: { log: memoryLog({ events: 10 }) } })
  publish(app, 'a', 1, 5)
  const to = app.topics.position
  const [epoch] = to.split(':')
  const malformed = [
    'x', ':', '5', `${epoch}`, `${epoch}:`, ':5', `${epoch}:-1`, `${epoch}:+1`, `${epoch}:01`, `${epoch}:1.5`, `${epoch}:1e0`, `${epoch}:0x1`,
    `${epoch}:1 `.padEnd(20, 'x'), `${epoch} :1`, `${epoch}:9007199254740992`, `${epoch}:${'9'.repeat(30)}`, `${'e'.repeat(65)}:1`, 'x'.repeat(200), 'x'.repeat(4_000),
    `${epoch}:1:1`, 'é:1', '%00', 'null', 'undefined', '[object Object]', `${to}, ${to}`
  ]
  const foreign = ['zzzzzzzz:3', `${epoch}:6`, `${epoch}:9007199254740991`, `${epoch}x:1`, '_:0']
  const cases = [
    ...malformed.map((given) => ({ given, reason: 'malformed', from: null })),
    ...foreign.map((given) => ({ given, reason: 'foreign', from: given }))
  ]
  const clients = await Promise.all(cases.flatMap(({ given }) => [{ by: 'header', given }, { by: 'query', given }]).map(async ({ by, given }) => {
    const client = await connect(t, port)
    if (by === 'query') return client.get(`/?topic=a&lastEventId=${encodeURIComponent(given)}`)
    return client.write(Buffer.from(`GET /?topic=a HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${given}\r\n\r\n`, 'latin1'))
  }))
  await until(() => app.connections.size === clients.length)
  const live = app.topics.publish('a', 'live')
  for (const [i, client] of clients.entries()) {
    const { given, reason, from } = cases[i >> 1] as typeof cases[0]
    await client.until('data: live')
    const gap = `event: gap\nid: ${to}\ndata: ${JSON.stringify({ reason, from, to })}\n\n`
    t.equal(client.response.body.toString(), `:\n\n${gap}id: ${live}\ndata: live\n\n`, given.slice(0, 50))
  }
})

await t.test('a duplicated header and a duplicated query are malformed', async (t) => {
  const { app, port } = await start(t, routes)
  const to = app.topics.position
  const clients = [
    (await connect(t, port)).write(`GET /?topic=a HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${to}\r\nLast-Event-ID: ${to}\r\n\r\n`),
    (await connect(t, port)).get(`/?topic=a&lastEventId=${to}&lastEventId=${to}`)
  ]
  for (const client of clients) {
    await client.until('event: gap')
    t.equal(client.response.body.toString(), `:\n\nevent: gap\nid: ${to}\ndata: {"reason":"malformed","from":null,"to":"${to}"}\n\n`)
  }
})

await t.test('what the app\'s own parser of queries makes no text of is malformed', async (t) => {
  for (const lastEventId of [{ toString: null }, [Object.create(null)], [1n], 1n, {}]) {
    const { origin } = await start(t, routes, { routerOptions: { querystringParser: () => ({ topic: 'a', lastEventId }) as never } })
    const client = await subscribe(t, origin, '/?x')
    await client.until('"reason":"malformed"')
  }
})

await t.test('the header beats the query, and an empty one is none', async (t) => {
  const { app, port, origin } = await start(t, routes)
  const ids = publish(app, 'a', 1, 5)
  const both = await subscribe(t, origin, `/?topic=a&lastEventId=${ids[0]}`, { lastEventId: ids[3] })
  const query = await subscribe(t, origin, `/?topic=a&lastEventId=${ids[0]}`)
  const emptyQuery = await subscribe(t, origin, '/?topic=a&lastEventId=')
  const emptyHeader = (await connect(t, port)).get('/?topic=a', { 'Last-Event-ID': '' })
  await until(() => app.connections.size === 4)
  publish(app, 'a', 6, 6)
  for (const client of [both, query, emptyQuery, emptyHeader]) await client.until('data: 6')
  t.same([both, query, emptyQuery].map(({ data }) => data.join()), ['5,6', '2,3,4,5,6', '6'])
  t.equal(emptyHeader.response.body.toString(), `:\n\nid: ${ids[4]}\n\nid: ${app.topics.position}\ndata: 6\n\n`)
})

await t.test('a client that is cut before its first event loses nothing', async (t) => {
  const { app, origin } = await start(t, routes)
  publish(app, 'a', 1, 3)
  const first = await subscribe(t, origin, '/?topic=a')
  await until(() => first.lastEventId)
  t.same(first.events, [])
  first.leave()
  await until(() => app.connections.size === 0)
  publish(app, 'a', 4, 6)
  const second = await subscribe(t, origin, '/?topic=a', { lastEventId: first.lastEventId })
  publish(app, 'a', 7, 7)
  await second.count(4)
  t.same(second.data, range(4, 7))
})

await t.test('a client whose topic was quiet while others were noisy sees no gap', async (t) => {
  const { app, origin } = await start(t, routes, { pastelli: { log: memoryLog({ events: 10 }) } })
  const client = await subscribe(t, origin, '/?topic=quiet')
  publish(app, 'quiet', 1, 1)
  await client.count(1)
  client.leave()
  publish(app, 'noisy', 1, 1_000)
  publish(app, 'quiet', 2, 2)
  const second = await subscribe(t, origin, '/?topic=quiet', { lastEventId: client.lastEventId })
  await second.count(1)
  t.same(second.data, ['2'])
  t.same(second.gaps, [])
})

await t.test('a heartbeat tells the position, so that what was not for the client is no gap later', async (t) => {
  for (const heartbeatEvent of [null, 'alive']) {
    const { app, origin } = await start(t, (app) => {
      app.stream('/', (_request, reply) => { reply.connection.subscribe('a', { filter: ({ data }) => data as number > 0 }) })
    }, { pastelli: { log: memoryLog({ events: 10 }), heartbeat: 20, heartbeatEvent } })
    const client = await subscribe(t, origin, '/')
    publish(app, 'a', -50, 0)
    await until(() => client.lastEventId === app.topics.position)
    client.leave()
    await until(() => app.connections.size === 0)
    publish(app, 'b', 1, 50)
    const second = await subscribe(t, origin, '/', { lastEventId: client.lastEventId })
    publish(app, 'a', 1, 1)
    await second.until('data: 1\n')
    t.same(second.gaps, [])
    t.match(client.text, heartbeatEvent === null ? `\n\n: heartbeat\nid: ${client.lastEventId}\n\n` : `\n\nevent: alive\nid: ${client.lastEventId}\ndata: \n\n`)
  }
})

await t.test('where heartbeats are events, so is what tells the position at first, for browsers that pass over an id without data', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a', heartbeatEvent: 'alive' }) })
  const client = await subscribe(t, origin, '/')
  await client.count(1)
  t.same(client.events, [{ event: 'alive', data: '', id: app.topics.position }])
  const ndjson = await subscribe(t, origin, '/', { headers: { accept: 'application/x-ndjson' } })
  app.topics.publish('a', 1)
  await ndjson.until('\n')
  t.equal(ndjson.text, `{"id":"${app.topics.position}","data":1}\n`, 'a format that has no other way to tell it says nothing')
})

await t.test('a heartbeat never tells a position that the client has not reached', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { heartbeat: 10, coalesce: 10_000 } })
  const client = await subscribe(t, origin, '/')
  await client.until('\n\n: heartbeat')
  const { lastEventId, text: { length } } = client
  publish(app, 'a', 1, 1)
  await until(() => client.text.slice(length).split(': heartbeat').length > 3)
  t.same(client.data, [])
  t.equal(client.lastEventId, lastEventId)
  client.leave()
  const second = await subscribe(t, origin, '/', { lastEventId })
  await second.count(1)
  t.same(second.data, ['1'])
})

await t.test('direct events do not keep the heartbeat from telling the position', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      const timer = setInterval(() => { reply.event('direct') }, 5)
      reply.connection.subscribe('a', { filter: () => false })
      reply.connection.signal.addEventListener('abort', () => { clearInterval(timer) })
    })
  }, { pastelli: { heartbeat: 40 } })
  const client = await subscribe(t, origin, '/')
  publish(app, 'a', 1, 3)
  await until(() => client.lastEventId === app.topics.position)
  t.same(client.data.filter((data) => data !== 'direct'), [])
})

await t.test('after: everything retained, from a position on, or with what is published from now on', async (t) => {
  let position = ''
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (request, reply) => {
      const { after } = request.query as { after?: string }
      reply.connection.subscribe('a', { after: after === 'position' ? position : after })
    })
  }, { pastelli: { log: memoryLog({ events: 10 }) } })
  const early = await subscribe(t, origin, '/?after=earliest')
  const ids = publish(app, 'a', 1, 15)
  publish(app, 'b', 1, 2)
  position = ids[11] as string
  const clients = {
    earliest: await subscribe(t, origin, '/?after=earliest'),
    position: await subscribe(t, origin, '/?after=position'),
    now: await subscribe(t, origin, '/'),
    resumed: await subscribe(t, origin, '/?after=earliest', { lastEventId: ids[13] }),
    resumedNewest: await subscribe(t, origin, '/?after=earliest', { lastEventId: app.topics.position })
  }
  const bad = {
    trimmed: await subscribe(t, origin, `/?after=${ids[3]}`),
    foreign: await subscribe(t, origin, '/?after=other:1'),
    malformed: await subscribe(t, origin, '/?after=latest'),
    resumedWord: await subscribe(t, origin, '/', { lastEventId: 'earliest' })
  }
  const to = app.topics.position
  publish(app, 'a', 16, 16)
  for (const client of [early, ...Object.values(clients), ...Object.values(bad)]) await client.until('data: 16\n')
  t.same(early.data, range(1, 16))
  t.same(Object.fromEntries(Object.entries(clients).map(([name, { data, gaps }]) => [name, [data.join(), gaps.length]])), {
    earliest: [range(8, 16).join(), 0],
    position: [range(13, 16).join(), 0],
    now: ['16', 0],
    resumed: ['15,16', 0],
    resumedNewest: ['16', 0]
  })
  t.same(Object.fromEntries(Object.entries(bad).map(([name, { data, gaps }]) => [name, [data.join(), gaps]])), {
    trimmed: ['16', [{ reason: 'trimmed', from: ids[3], to }]],
    foreign: ['16', [{ reason: 'foreign', from: 'other:1', to }]],
    malformed: ['16', [{ reason: 'malformed', from: null, to }]],
    resumedWord: ['16', [{ reason: 'malformed', from: null, to }]]
  })
})

await t.test('several subscriptions in one handler start together: the replay is in the log\'s order', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (request, reply) => {
      const { after } = request.query as { after?: string }
      for (const topic of ['a', 'b', 'c']) reply.connection.subscribe(topic, { after })
    })
  })
  const before = app.topics.position
  for (let n = 1; n <= 12; n++) app.topics.publish(['a', 'b', 'c', 'd'][n % 4] as string, n)
  const expected = range(1, 12).filter((n) => Number(n) % 4 !== 3)
  for (const options of [{ path: '/?after=earliest' }, { path: `/?after=${before}` }, { path: '/', lastEventId: before }]) {
    const client = await subscribe(t, origin, options.path, options)
    await client.count(expected.length)
    t.same(client.data, expected)
  }
})

await t.test('an after that is older than the connection\'s own place throws, and changes nothing', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      const { connection } = reply
      connection.subscribe('a')
      for (const after of ['earliest', 'latest', 'other:1', app.topics.position.replace(/\d+$/, '1'), app.topics.position.replace(/\d+$/, '1000')]) {
        t.throws(() => connection.subscribe('b', { after }), { code: 'PST_ERR_POSITION' }, after)
      }
      connection.subscribe('c', { after: app.topics.position })
    })
  })
  publish(app, 'b', 1, 3)
  const witness = new Witness(app)
  const client = await subscribe(t, origin, '/')
  const connection = await witness.open()
  publish(app, 'a', 1, 1)
  await client.count(1)
  t.throws(() => connection.subscribe('b', { after: 'earliest' }), { code: 'PST_ERR_POSITION' })
  connection.subscribe('d', { after: app.topics.position })
  t.equal(app.topics.subscribers('b'), 0)
  for (const topic of ['b', 'c', 'd']) app.topics.publish(topic, topic)
  await client.count(3)
  t.same(client.data, ['1', 'c', 'd'])
})

await t.test('a topic that is subscribed later joins where the connection is: nothing old, nothing missed, no gap', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { log: memoryLog({ events: 5 }) } })
  const witness = new Witness(app)
  const client = await subscribe(t, origin, '/', { lastEventId: app.topics.position })
  const connection = await witness.open()
  publish(app, 'b', 1, 20)
  connection.subscribe('b')
  publish(app, 'b', 21, 22)
  await client.count(2)
  connection.unsubscribe(['a', 'b'])
  publish(app, 'a', 23, 30)
  publish(app, 'b', 31, 40)
  connection.subscribe(['b', 'c'])
  publish(app, 'b', 41, 42)
  await client.count(4)
  t.same(client.data, ['21', '22', '41', '42'])
  t.same(client.gaps, [])
  t.equal(connection.phase, 'open')
})

await t.test('an EventSource that is cut again and again sees every event once, in order', async (t) => {
  const { app, origin } = await start(t, routes, { pastelli: { retry: 1 } })
  const source = new EventSource(`${origin}/?topic=a`)
  t.teardown(() => { source.close() })
  const seen: string[] = []
  let opened = 0
  source.onmessage = ({ data }) => { seen.push(data) }
  source.onopen = () => { opened++ }
  source.addEventListener('gap', () => { t.fail('a gap') })
  await until(() => opened === 1)
  for (let n = 1; n <= 400; n++) {
    app.topics.publish('a', n)
    if (n % 20 === 0) for (const connection of app.connections) connection[n % 40 === 0 ? 'close' : 'destroy']()
    if (n % 3 === 0) await turn()
    if (n % 50 === 0) await until(() => app.connections.size === 1)
  }
  await until(() => seen.length >= 400)
  t.same(seen, range(1, 400))
  t.ok(opened > 5, `${opened} connections`)
})
