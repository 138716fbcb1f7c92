/** What all open connections come to, by route and transport. */
import t from 'tap'
import { memoryLog } from '../../index.ts'
import type { Connection } from '../../lib/connection/connection.ts'
import { figuresOf } from '../../lib/connection/figures.ts'
import { connect } from '../support/socket.ts'
import { start } from '../support/server.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

await t.test('connections are counted by the pattern of their route and by transport, with what they were sent', async (t) => {
  const server = await start(t, (app) => { app.stream('/users/:id', { topics: 'a', websocket: {} }) })
  const { app, origin } = server
  t.same(await figuresOf(app.connections), [])
  const one = await subscribe(t, origin, '/users/1')
  const other = await subscribe(t, origin, '/users/2')
  await dial(t, server, '/users/3')
  await until(() => app.connections.size === 3)
  await app.topics.publish('a', 'x'.repeat(100))
  await Promise.all([one.count(1), other.count(1)])
  const [streams, sockets, ...others] = await figuresOf(app.connections)
  t.same(others, [])
  t.match(streams, { route: '/users/:id', transport: 'http1', connections: 2, events: 2, buffered: 0, maxBuffered: 0, behind: 0, maxLag: 0 })
  t.match(sockets, { route: '/users/:id', transport: 'websocket', connections: 1, events: 1 })
  t.equal(streams?.bytes, [...app.connections].slice(0, 2).reduce((sum, { bytes }) => sum + bytes, 0))
})

await t.test('a client that reads nothing is behind, with what is buffered for it', async (t) => {
  const { app, port, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { log: memoryLog({ bytes: 100_000_000 }) } })
  const witness = new Witness(app)
  await subscribe(t, origin, '/')
  const client = (await connect(t, port)).get('/')
  await client.until('id: ')
  client.pause()
  const slow = await witness.open(1)
  for (let n = 0; slow.cursor?.behindSince === 0; n++) {
    if (n === 10_000) throw new Error('it never falls behind')
    await app.topics.publish('a', 'x'.repeat(10_000))
    await new Promise(setImmediate)
  }
  const before = performance.now()
  await until(() => performance.now() > before + 2, 'time passes')
  const [figures] = await figuresOf(app.connections)
  t.match(figures, { connections: 2, behind: 1 })
  t.ok((figures?.maxLag ?? 0) >= 2, `${figures?.maxLag} ms`)
  t.ok((figures?.maxBuffered ?? 0) >= slow.queued && slow.queued > 0, `${figures?.maxBuffered} bytes`)
  t.ok((figures?.buffered ?? 0) >= (figures?.maxBuffered ?? 0))
  client.resume()
  await until(() => slow.cursor?.behindSince === 0, 'it has all again')
  t.match(await figuresOf(app.connections), [{ behind: 0, maxLag: 0 }])
})

await t.test('a pass over very many lets others have the event loop, and counts those that were there when it began', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', () => {}) })
  await subscribe(t, origin, '/')
  const [connection] = app.connections as Iterable<Connection>
  const many = Array.from({ length: 500_000 }, () => connection as Connection)
  let turns = 0
  let isDone = false
  const turn = () => {
    turns++
    if (!isDone) setImmediate(turn)
  }
  const figures = figuresOf(many)
  many.length = 0
  setImmediate(turn)
  t.match(await figures, [{ connections: 500_000 }])
  isDone = true
  t.ok(turns > 2, `${turns} turns`)
})
