/** Publishing, subscribing and ending from inside everything that topics call: handlers, listeners, signals, other passes. */
import type { Socket } from 'node:net'
import t from 'tap'
import type { Connection } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const turn = () => new Promise(setImmediate)

await t.test('a publish from a subscriber\'s own handler reaches it, and the others', async (t) => {
  const { origin } = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, (request, reply) => {
      app.topics.publish('a', `hello ${(request.query as { n: string }).n}`)
      reply.event('direct')
    })
  })
  const first = await subscribe(t, origin, '/?n=1')
  const second = await subscribe(t, origin, '/?n=2')
  await first.count(3)
  await second.count(2)
  t.same(first.data, ['direct', 'hello 1', 'hello 2'])
  t.same(second.data, ['direct', 'hello 2'])
})

await t.test('a publish from a signal listener, a registry listener and a listener of idle reaches those who stay', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: ['a', 'mine'] }, (_request, reply) => {
      const { connection } = reply
      connection.signal.addEventListener('abort', () => { app.topics.publish('a', `signal: ${connection.reason}`) })
    })
    app.stream('/watch', { topics: 'a' })
  })
  app.connections.on('close', (_connection, reason) => { app.topics.publish('a', `registry: ${reason}`) })
  app.connections.on('open', ({ route }) => { app.topics.publish('a', `open: ${route}`) })
  app.topics.on('idle', (topic) => { app.topics.publish('a', `idle: ${topic}`) })
  const watcher = await subscribe(t, origin, '/watch')
  for (const end of ['close', 'destroy', 'leave'] as const) {
    const client = await subscribe(t, origin, '/')
    const connection = [...app.connections].at(-1) as Connection
    if (end === 'leave') client.leave()
    else connection[end]()
    await until(() => app.connections.size === 1)
  }
  await watcher.count(1 + 3 * 4)
  t.equal(watcher.data[0], 'open: /watch')
  for (const [i, reason] of ['server', 'server', 'client'].entries()) {
    t.same(watcher.data.slice(1 + i * 4, 5 + i * 4).sort(), ['idle: mine', 'open: /', `registry: ${reason}`, `signal: ${reason}`])
  }
})

await t.test('in the middle of a pass: others are closed, cut, unsubscribed and subscribed, and something is published', async (t) => {
  const sockets: Socket[] = []
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, ({ raw }) => { sockets.push(raw.socket) })
  })
  const { opened } = new Witness(app)
  const clients: Subscriber[] = []
  for (let i = 0; i < 12; i++) clients.push(await subscribe(t, origin, '/'))
  const at = (i: number) => opened[i] as Connection
  at(5).signal.addEventListener('abort', () => {
    for (const i of [1, 7]) at(i).close()
    for (const i of [2, 8]) at(i).destroy()
    for (const i of [3, 9]) at(i).unsubscribe('a')
    for (const i of [4, 10]) at(i).subscribe('b')
    app.topics.publish('a', 'from the listener')
  })
  app.topics.publish('a', 'before')
  for (const client of clients) await client.count(1)
  app.topics.publish('a', 'during')
  sockets[5]?.end()   // the pass finds it so
  await until(() => at(5).phase === 'closed')
  app.topics.publish('a', 'a after')
  app.topics.publish('b', 'b after')
  for (const i of [0, 4, 6, 10, 11]) await clients[i]?.until(i === 4 || i === 10 ? 'b after' : 'a after')
  for (const i of [1, 2, 5, 7, 8]) await clients[i]?.ended()
  const all = ['before', 'during', 'from the listener', 'a after']
  t.same([0, 4, 6, 10, 11].map((i) => clients[i]?.data), [all, [...all, 'b after'], all, [...all, 'b after'], all])
  t.same([1, 7, 3, 9].map((i) => clients[i]?.data), [1, 7, 3, 9].map(() => ['before', 'during']), 'what was published before they closed or unsubscribed')
  t.same([5, 8].map((i) => clients[i]?.data), [['before'], ['before']])
  t.same(app.topics.subscribers('a'), 5)
})

await t.test('a listener that publishes in answer to each end, in a pass over clients that have gone', async (t) => {
  const { app, port, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const watcher = await subscribe(t, origin, '/')
  const leavers = await Promise.all(Array.from({ length: 20 }, async () => (await connect(t, port)).get('/')))
  for (const leaver of leavers) await leaver.until('id: ')
  app.connections.on('close', ({ id }) => { app.topics.publish('a', `gone ${id}`) })
  const ids = [...app.connections].slice(1).map(({ id }) => id)
  for (const leaver of leavers) leaver.halfClose()
  for (let n = 0; n < 50; n++) {
    app.topics.publish('a', n)
    await turn()
  }
  await watcher.count(70)
  t.same(watcher.data.filter((data) => !data.startsWith('gone')), Array.from({ length: 50 }, (_, n) => String(n)))
  t.same(watcher.data.filter((data) => data.startsWith('gone')).sort(), ids.map((id) => `gone ${id}`).sort())
  t.equal(new Set(watcher.ids).size, 70)
})

await t.test('a publish for each connection that there is, whenever one opens', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  app.connections.on('open', (opened) => {
    for (const connection of app.connections) if (connection !== opened) app.topics.publish('a', 1, { except: opened })
  })
  const clients = []
  for (let i = 0; i < 50; i++) clients.push(await subscribe(t, origin, '/'))
  app.topics.publish('a', 'end')
  for (const [i, client] of clients.entries()) {
    await client.until('data: end')
    // Those of each one that came later: as many as were there before it.
    const later = Array.from({ length: 50 }, (_, n) => n).filter((n) => n > i)
    t.equal(client.data.length - 1, later.reduce((sum, n) => sum + n, 0))
  }
})

await t.test('an unsubscribe that finds the client gone leaves nothing behind', async (t) => {
  const sockets: Socket[] = []
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: ['a', 'b'] }, ({ raw }) => { sockets.push(raw.socket) })
  })
  const witness = new Witness(app)
  await subscribe(t, origin, '/')
  const connection = await witness.open()
  app.topics.publish('a', 1)
  sockets[0]?.end()
  connection.unsubscribe('a')
  await witness.sees(t, 'client')
  t.same(['a', 'b'].map((topic) => app.topics.subscribers(topic)), [0, 0])
  app.topics.publish('b', 1)
})
