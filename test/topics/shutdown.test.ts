/** `app.close()` with subscribers: what was published before it arrives, and they come back where they were. */
import t from 'tap'
import { memoryLog } from '../../index.ts'
import { build, start, type ServerOptions } from '../support/server.ts'
import { subscribe, type Protocol } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const WAYS: Record<string, { protocol: Protocol, options: ServerOptions }> = {
  'HTTP/1.1': { protocol: 'http1', options: {} },
  'HTTP/1.1 over TLS': { protocol: 'http1', options: { tls: true } },
  'HTTP/2': { protocol: 'http2', options: { http2: true } }
}

for (const [title, { protocol, options }] of Object.entries(WAYS)) {
  await t.test(`${title}: the last event arrives, and then the end, with the reason shutdown`, async (t) => {
    for (const coalesce of [0, 60_000]) {
      const { app, origin, noise } = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { ...options, pastelli: { coalesce } })
      const idle: string[] = []
      app.topics.on('idle', (topic) => { idle.push(topic) })
      const witness = new Witness(app)
      const clients = await Promise.all(Array.from({ length: 20 }, () => subscribe(t, origin, '/', { protocol })))
      await until(() => clients.every(({ lastEventId }) => lastEventId !== ''))
      const last = app.topics.publish('a', 'last words')
      await app.close()
      await witness.sees(t, 'shutdown')
      for (const client of clients) {
        await client.ended()
        t.same(client.events, [{ event: 'message', data: 'last words', id: last }])
        t.match(client.text, /retry: \d+\n\n/)
      }
      t.same(idle, ['a'])
      t.equal(app.topics.subscribers('a'), 0)
      t.same(noise(), [])
    }
  })
}

await t.test('what is published while the server shuts down, to those whose turn has not come, arrives too', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const clients = await Promise.all(Array.from({ length: 250 }, () => subscribe(t, origin, '/')))
  await until(() => app.connections.size === 250)
  let n = 0
  app.connections.on('close', () => { app.topics.publish('a', n++) })
  await app.close()
  for (const client of clients) {
    await client.ended()
    t.same(client.data.map(Number), client.data.map((_, i) => i), 'a contiguous run')
  }
  t.ok(Math.max(...clients.map(({ data }) => data.length)) >= 100, 'the last batch heard of the first')
})

await t.test('a stream that opens while the server shuts down gets what it came for, and its position', async (t) => {
  let resume: (() => void) | undefined
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, async () => await new Promise<void>((resolve) => { resume = resolve }))
  })
  const before = app.topics.position
  app.topics.publish('a', 'missed')
  const opening = subscribe(t, origin, '/', { lastEventId: before })
  await until(() => resume)
  const closing = app.close()
  await until(() => !app.server.listening)
  const last = app.topics.publish('a', 'late')
  resume?.()
  const client = await opening
  await closing
  await client.ended()
  t.same(client.data, ['missed', 'late'])
  t.equal(client.lastEventId, last)
})

await t.test('of two apps that share a log, one goes on when the other one has closed', async (t) => {
  const log = memoryLog()
  const setup = { pastelli: { log } }
  const first = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, setup)
  const second = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, setup)
  const clients = [await subscribe(t, first.origin, '/'), await subscribe(t, second.origin, '/')]
  first.app.topics.publish('a', 1)
  second.app.topics.publish('a', 2)
  for (const client of clients) await client.count(2)
  await first.app.close()
  await clients[0]?.ended()
  first.app.topics.publish('a', 3)
  second.app.topics.publish('a', 4)
  await clients[1]?.count(4)
  t.same(clients.map(({ data }) => data.join()), ['1,2', '1,2,3,4'])
  const back = await subscribe(t, second.origin, '/', { lastEventId: clients[0]?.lastEventId })
  await back.count(2)
  t.same(back.data, ['3', '4'], 'and the first one\'s client goes on there')
})

await t.test('publishing after the end is harmless', async (t) => {
  const { app, lines } = await build(t, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { coalesce: 50 } })
  await app.ready()
  app.topics.publish('a', 1)
  await app.close()
  t.equal(app.topics.publish('a', 2), app.topics.position)
  t.same(lines('stream closed'), [])
})
