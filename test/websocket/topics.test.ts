/** Topics over WebSockets: the same log, cursors and rights, in messages. */
import t from 'tap'
import type { FormatEvent } from '../../index.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

interface Message { id: string, event?: string, data?: unknown }

await t.test('a route with topics and an empty handler is subscribed, and tells its client where it is', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'prices', websocket: {} }) })
  const before = app.topics.position
  const socket = await dial(t, { origin }, '/')
  t.same(await socket.next(), { id: before })
  const ids = [app.topics.publish('prices', { cents: 1 }), app.topics.publish('prices', 'größer', { event: 'rise', retry: 5 })]
  t.same(await socket.next(), { id: ids[0], data: { cents: 1 } })
  t.same(await socket.next(), { id: ids[1], event: 'rise', retry: 5, data: 'größer' })
  socket.send('what nobody listens to is passed over')
  const response = await fetch(origin, { headers: { 'last-event-id': before } })
  const { value } = await response.body!.getReader().read()
  t.match(Buffer.from(value!).toString(), 'data: {"cents":1}', 'by GET it is an event stream')
})

await t.test('a client that is asked whether it lives is told its position in the same breath', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'prices', websocket: {} }) }, { pastelli: { heartbeat: 60_000 } })
  const socket = await dial(t, { origin }, '/')
  const position = { id: app.topics.position }
  t.same(await socket.next(), position)
  const [connection] = app.connections
  const now = performance.now()
  connection?.sweep(now)
  connection?.sweep(now + 60_000)
  t.same(await socket.next(), position)
})

await t.test('a client that comes back goes on where it was, without a gap or a duplicate', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'], websocket: {} }) })
  const first = await dial(t, { origin }, '/')
  const { id } = await first.next() as Message
  for (let n = 0; n < 500; n++) app.topics.publish(n % 3 === 0 ? 'a' : 'b', n)
  const seen: unknown[] = []
  let last = id
  while (seen.length < 250) {
    const message = await first.next() as Message
    seen.push(message.data)
    last = message.id
  }
  first.ws.terminate()
  for (let n = 500; n < 600; n++) app.topics.publish('a', n)
  const second = await dial(t, { origin }, `/?lastEventId=${last}`)
  t.same(await second.next(), { id: last })
  while (seen.length < 600) seen.push((await second.next() as Message).data)
  t.same(seen, Array.from({ length: 600 }, (_, n) => n))
})

await t.test('a client whose position is of another life is told of the gap', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a', websocket: {} }) })
  app.topics.publish('a', 1)
  const to = app.topics.position
  const foreign = await dial(t, { origin }, '/?lastEventId=0123456789abcdef:7')
  t.match(await foreign.next(), { id: to, event: 'gap', data: { to } })
})

await t.test('an event is encoded once for all who are subscribed, in the form of the app', async (t) => {
  const encoded: FormatEvent[] = []
  const encode = (event: FormatEvent) => {
    encoded.push(event)
    return event.event === 'text' ? `${event.id}` : Buffer.from([1, Number(event.data)])
  }
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'a', websocket: { encode } })
    app.stream('/same', { topics: 'a', websocket: { encode, init: (_request, connection) => connection.event(255) } })
  })
  const witness = new Witness(server.app)
  const sockets = [await dial(t, server, '/'), await dial(t, server, '/'), await dial(t, server, '/same')]
  await witness.open(2)
  await until(() => encoded.length === 1, 'init has sent')
  t.same(await sockets[2]?.raw(), Buffer.from([1, 255]))
  server.app.topics.publish('a', 7)
  const id = server.app.topics.publish('a', 8, { event: 'text' })
  for (const socket of sockets) {
    t.same(await socket.raw(), Buffer.from([1, 7]), 'no position came before: the encoder has no way to say it')
    t.equal(await socket.raw(), id)
  }
  t.equal(encoded.length, 3)
  const gap = await dial(t, server, '/?lastEventId=x')
  await gap.raw()
  t.match(encoded[3], { event: 'gap', data: { reason: 'malformed' } }, 'a gap is an event like any other')
})

await t.test('what an encoder gives that is no message fails the publish of nobody else', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'a', websocket: { encode: () => 7 as never } })
    app.stream('/fine', { topics: 'a', websocket: {} })
  })
  const witness = new Witness(server.app)
  const broken = await dial(t, server, '/')
  await witness.open()
  const fine = await dial(t, server, '/fine')
  await fine.next()
  const connection = await witness.open()
  t.throws(() => connection.event(1), { code: 'PST_ERR_DATA' })
  server.app.topics.publish('a', 1)
  t.match(await fine.next(), { data: 1 })
  t.equal((await broken.closed).code, 1011)
})

await t.test('rights and filters are those of streams', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/sync', { topics: (request) => (request.query as { topic: string }).topic, websocket: {} })
    app.stream('/async', { topics: async (request) => (request.query as { topic: string }).topic, websocket: {} })
    app.stream('/filter', { websocket: { init: (_request, connection) => { void connection.subscribe('open', { filter: ({ data }) => data !== 1 }) } } })
  }, { pastelli: { canSubscribe: (request, topic) => topic === 'open' ? true : topic === 'later' ? Promise.resolve(false) : false } })
  for (const path of ['/sync?topic=closed', '/async?topic=closed', '/sync?topic=later', '/async?topic=later']) {
    t.equal(await (await dial(t, server, path, { opens: false })).refused, 403, path)
  }
  t.equal(await (await dial(t, server, '/sync?topic=', { opens: false })).refused, 500, 'what the topics can\'t be told from')
  t.equal(server.app.connections.size, 0)
  const witness = new Witness(server.app)
  const sockets = [await dial(t, server, '/sync?topic=open'), await dial(t, server, '/async?topic=open'), await dial(t, server, '/filter')]
  for (const socket of sockets) await socket.next()
  for (const n of [1, 2]) server.app.topics.publish('open', n)
  for (const socket of sockets.slice(0, 2)) t.match([await socket.next(), await socket.next()], [{ data: 1 }, { data: 2 }])
  t.match(await sockets[2]?.next(), { data: 2 })
  for (const connection of witness.opened) connection.expire(Date.now())
  for (const socket of sockets) t.equal((await socket.closed).code, 1008)
  await witness.sees(t, 'expired')
})

await t.test('events are those that the schema declares', async (t) => {
  const tick = { type: 'object', properties: { at: { type: 'integer' } } }
  const server = await start(t, (app) => {
    app.stream('/', {
      schema: { events: { tick } },
      websocket: {
        init: (_request, connection) => {
          t.throws(() => connection.event(1), { code: 'PST_ERR_EVENT' })
          connection.event({ at: 1, secret: 2 }, { event: 'tick' })
        }
      }
    })
  })
  const socket = await dial(t, server, '/')
  t.same(await socket.next(), { event: 'tick', data: { at: 1 } })
})

await t.test('the delay of a reconnect is told when it opens and before a shutdown', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { websocket: { init: () => {} } }) }, { pastelli: { retry: 1_000 } })
  const socket = await dial(t, server, '/')
  t.same(await socket.next(), { retry: 1_000 })
  void server.app.close()
  const { retry } = await socket.next() as { retry: number }
  t.ok(retry >= 500 && retry <= 1_500, String(retry))
  t.equal((await socket.closed).code, 1001)
})
