/** `fastify.connections`: a typed emitter, iterable, with lookups by id and by name. */
import t from 'tap'
import { connect } from '../support/socket.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

await t.test('it iterates in the order of opening, and finds by id and by name', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/:user', (request, reply) => {
      reply.connection.name = (request.params as { user: string }).user
    })
  })
  const clients = []
  for (const user of ['ann', 'bob', 'ann']) {
    clients.push((await connect(t, port)).get(`/${user}`))
    await until(() => app.connections.size === clients.length)
  }
  const all = [...app.connections]
  t.same(all.map(({ name }) => name), ['ann', 'bob', 'ann'])
  t.same(all.map(({ id }) => app.connections.get(id)), all)
  t.equal(new Set(all.map(({ id }) => id)).size, 3)
  t.ok(all.every(({ id }) => /^[\x21-\x7e]{16,}$/.test(id)), 'ids are long and ASCII')
  t.same(app.connections.named('ann'), [all[0], all[2]])
  t.same(app.connections.named('eve'), [])
  const [first, , third] = all
  if (first !== undefined) first.name = 'eve'
  t.same(app.connections.named('ann'), [third])
  t.same(app.connections.named('eve'), [first])
  if (first !== undefined) first.name = null
  t.same(app.connections.named('eve'), [])
  clients[2]?.leave()
  await until(() => app.connections.size === 2)
  t.same(app.connections.named('ann'), [], 'a name is forgotten with its last connection')
  t.same([...app.connections], all.slice(0, 2))
})

await t.test('a listener that throws or rejects is logged and harms nothing', async (t) => {
  const { app, port, lines } = await start(t, (app) => { app.stream('/', () => {}) })
  const heard: string[] = []
  for (const event of ['open', 'close'] as const) {
    app.connections.on(event, () => { throw new Error(`${event} throws`) })
    app.connections.on(event, async () => { throw new Error(`${event} rejects`) })
    app.connections.on(event, () => { heard.push(event) })
    app.connections.once(event, () => { heard.push(`once ${event}`) })
  }
  for (let i = 0; i < 2; i++) {
    const client = (await connect(t, port)).get('/')
    await client.until(':\n\n')
    client.leave()
    await until(() => app.connections.counts.client === i + 1)
  }
  t.same(heard, ['open', 'once open', 'close', 'once close', 'open', 'close'])
  await until(() => lines('a listener of "open" failed').length === 4)
  t.equal(lines('a listener of "close" failed').length, 4)
})

await t.test('a listener may send, name or close the connection that it is told of', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', (_request, reply) => { reply.event('from the handler') }) })
  const witness = new Witness(app)
  app.connections.on('open', (connection) => {
    connection.event('from the listener')
    connection.close('expired')
  })
  const client = (await connect(t, port)).get('/')
  await client.until((response) => response.complete)
  t.equal(client.response.body.toString(), 'data: from the handler\n\ndata: from the listener\n\n')
  await witness.sees(t, 'expired')
})

await t.test('a listener may destroy the connection that it is told of', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) })
  const witness = new Witness(app)
  app.connections.on('open', (connection) => { connection.destroy('error') })
  await (await connect(t, port)).get('/').ended()
  await witness.sees(t, 'error')
})

await t.test('reasons are counted', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) })
  const none = { client: 0, server: 0, shutdown: 0, overflow: 0, expired: 0, timeout: 0, error: 0 }
  t.same(app.connections.counts, none)
  for (const reason of ['server', 'expired', 'server'] as const) {
    const client = (await connect(t, port)).get('/')
    const connection = await until(() => [...app.connections][0])
    connection.close(reason)
    await client.until((response) => response.complete)
    await connection.closed
  }
  t.same(app.connections.counts, { ...none, server: 2, expired: 1 })
})

await t.test('a connection tells about itself, and keeps what the app puts on it', async (t) => {
  const { app, port, logged } = await start(t, (app) => {
    app.stream('/users/:id', (_request, reply) => {
      Object.assign(reply.connection.state, { user: 7 })
      t.equal(reply.connection.transport, null, 'before the take-over')
      t.equal(reply.connection.openedAt, 0)
      reply.connection.comment('two\nlines')
      reply.event('ä')
    })
  })
  const before = Date.now()
  const client = (await connect(t, port)).get('/users/1?lastEventId=query', { 'Last-Event-ID': 'header' })
  await client.until('data: ä\n\n')
  const [connection] = [...app.connections]
  if (connection === undefined) throw new Error('nobody is connected')
  t.equal(client.response.body.toString(), ': two\n: lines\n\ndata: ä\n\n')
  t.equal(connection.route, '/users/:id')
  t.equal(connection.transport, 'http1')
  t.equal(connection.lastEventId, 'header', 'the header beats the query')
  t.same(connection.state, { user: 7 })
  const state: object = { user: 8 }
  connection.state = state
  t.equal(connection.state, state)
  t.equal(connection.events, 1)
  t.equal(connection.bytes, 25)
  t.ok(connection.openedAt >= before - 1 && connection.openedAt <= Date.now() + 1)
  t.equal(connection.phase, 'open')
  t.equal(connection.reason, null)
  t.equal(connection.signal.aborted, false)
  client.leave()
  t.match(await logged('stream closed'), { level: 30, reason: 'client', connection: connection.id, bytes: 25, events: 1, duration: Number })
})

await t.test('what a verb does not take is refused with a code', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) })
  await (await connect(t, port)).get('/').until(':\n\n')
  const [connection] = [...app.connections]
  t.throws(() => { connection?.link({} as never) }, { code: 'PST_ERR_ARGUMENT' })
  t.throws(() => { if (connection !== undefined) connection.name = 5 as never }, { code: 'PST_ERR_ARGUMENT' })
  t.equal(connection?.phase, 'open')
})

await t.test('lastEventId comes from the query for clients that can\'t set headers, and is null without either', async (t) => {
  const seen: Array<string | null> = []
  const { app } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      seen.push(reply.connection.lastEventId)
      reply.closeChunk()
    })
  })
  await app.inject('/?lastEventId=12')
  await app.inject('/?lastEventId=1&lastEventId=2')
  await app.inject('/')
  t.same(seen, ['12', '["1","2"]', null], 'twice is no position, which the client is told of')
})
