/** What is told on the channels of `node:diagnostics_channel`. */
import t, { type Test } from 'tap'
import { type DiagnosticsMessages, memoryLog } from '../index.ts'
import { listen } from '../lib/diagnostics.ts'
import { connect } from './support/socket.ts'
import { start } from './support/server.ts'
import { subscribe } from './support/subscriber.ts'
import { until } from './support/until.ts'
import { Witness } from './support/witness.ts'

type Name = keyof DiagnosticsMessages

// All that is told on a channel while the test runs.
function hear<const Heard extends Name> (t: Test, name: Heard): Array<DiagnosticsMessages[Heard]> {
  const messages: Array<DiagnosticsMessages[Heard]> = []
  t.teardown(listen(name, (message) => { messages.push(message) }))
  return messages
}

await t.test('each stream that opens is told, and its end with the reason', async (t) => {
  const opened = hear(t, 'pastelli:connection:open')
  const closed = hear(t, 'pastelli:connection:close')
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: 'a' })
    app.stream('/short', (_request, { connection }) => { connection.close() })
  })
  const other = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const client = await subscribe(t, origin, '/')
  const [connection] = app.connections
  t.equal(opened.length, 1)
  t.equal(opened[0]?.connection, connection)
  t.equal(opened[0]?.connections, app.connections)
  await (await subscribe(t, origin, '/short')).ended()
  await subscribe(t, other.origin, '/')
  t.equal(opened[2]?.connections, other.app.connections, 'of each app in the process')
  client.leave()
  await until(() => closed.length === 2)
  t.same(closed.map(({ connection, reason }) => [connection.route, reason]), [['/short', 'server'], ['/', 'client']])
  t.equal(closed[1]?.connection, connection)
})

await t.test('a publish is told, and that it was written to all who are subscribed', async (t) => {
  const published = hear(t, 'pastelli:topics:publish')
  const delivered = hear(t, 'pastelli:topics:delivery')
  const { app, origin } = await start(t, (app) => { app.stream('/:topic', ({ params }, { connection }) => { connection.subscribe((params as { topic: string }).topic) }) })
  const clients = await Promise.all(['a', 'a', 'b'].map((topic) => subscribe(t, origin, `/${topic}`)))
  await app.topics.publish('nobody', 1)
  await app.topics.publish('a', 'für')
  await app.topics.publish('a', { n: 2 })
  for (const client of clients.slice(0, 2)) await client.count(2)
  t.same(published.map(({ topic, bytes }) => [topic, bytes]), [['nobody', 1], ['a', 4], ['a', 7]])
  t.equal(published[0]?.topics, app.topics)
  await until(() => delivered.length === 1, 'the pass is told')
  t.same(delivered.map(({ connections }) => connections), [2], 'one pass for both')
  t.equal(delivered[0]?.topics, app.topics)
  t.ok((delivered[0]?.latency ?? -1) >= 0 && (delivered[0]?.latency ?? Infinity) < 1_000, `${delivered[0]?.latency} ms`)
})

await t.test('what a client is given that it had missed is told, and what it can not be given', async (t) => {
  const replayed = hear(t, 'pastelli:connection:replay')
  const gapped = hear(t, 'pastelli:connection:gap')
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { log: memoryLog({ events: 10 }) } })
  const { position } = app.topics
  for (let n = 0; n < 5; n++) await app.topics.publish('a', n)
  await subscribe(t, origin, '/')
  const back = await subscribe(t, origin, '/', { lastEventId: position })
  await back.count(5)
  await subscribe(t, origin, '/', { lastEventId: app.topics.position })
  t.same(replayed.map(({ events, isComplete }) => [events, isComplete]), [[5, true], [0, true]], 'nothing of those who are new')
  t.equal(replayed[0]?.connections, app.connections)
  t.same(gapped, [])
  for (let n = 0; n < 10; n++) await app.topics.publish('a', n)
  await (await subscribe(t, origin, '/', { lastEventId: position })).count(1)
  await (await subscribe(t, origin, '/', { lastEventId: 'x' })).count(1)
  t.same(gapped.map(({ reason, from, to }) => [reason, from, to]), [['trimmed', position, app.topics.position], ['malformed', null, app.topics.position]])
  t.equal(gapped[0]?.connections, app.connections)
})

for (const policy of ['disconnect', 'skip'] as const) {
  await t.test(`a client that takes too little is told of as one: ${policy}`, async (t) => {
    const overflowed = hear(t, 'pastelli:connection:overflow')
    const gapped = hear(t, 'pastelli:connection:gap')
    const { app, port } = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { log: memoryLog({ events: 20 }), overflow: policy } })
    const witness = new Witness(app)
    const client = (await connect(t, port)).get('/')
    await client.until('id: ')
    client.pause()
    const connection = await witness.open()
    for (let n = 0; n < 1_000; n++) {
      await app.topics.publish('a', `${n} ${'x'.repeat(10_000)}`)
      if (n % 5 === 0) await new Promise(setImmediate)
    }
    await until(() => (connection.cursor?.behindSince ?? 0) !== 0 || connection.reason !== null, 'it is behind')
    client.resume()
    await until(() => overflowed.length !== 0)
    t.same(overflowed.map((message) => [message.connection.id, message.policy, message.connections === app.connections]), [[connection.id, policy, true]])
    t.same(gapped.map(({ reason }) => reason), policy === 'skip' ? ['overflow'] : [])
    if (policy === 'skip') await until(() => connection.cursor?.behindSince === 0, 'and it has all again')
  })
}

await t.test('a client that leaves before it has all that it missed is told of so', async (t) => {
  const replayed = hear(t, 'pastelli:connection:replay')
  const { app, port } = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { log: memoryLog({ bytes: 100_000_000 }) } })
  const { position } = app.topics
  for (let n = 0; n < 2_000; n++) await app.topics.publish('a', 'x'.repeat(10_000))
  const witness = new Witness(app)
  const client = (await connect(t, port)).get(`/?lastEventId=${position}`)
  await client.until('id: ')
  client.pause()
  const connection = await witness.open()
  await until(() => connection.queued > 0, 'it takes no more')
  client.socket.destroy()
  await until(() => replayed.length !== 0)
  const [{ events, isComplete } = { events: 0, isComplete: true }] = replayed
  t.ok(events > 0 && events < 2_000, `${events} events`)
  t.equal(isComplete, false)
})
