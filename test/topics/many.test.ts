/** Many topics, many of them on one connection, many publishes in one tick. */
import t from 'tap'
import type { FastifyRequest } from 'fastify'
import { start } from '../support/server.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const CONNECTIONS = 100
const EACH = 1_000

// Far more than it takes on a busy machine, and far less than what grows with the square would, ms.
const BOUND = 10_000

const names = (owner: string) => Array.from({ length: EACH }, (_, i) => `${owner}/${i}`)
const owner = (request: FastifyRequest) => (request.query as { owner: string }).owner

await t.test('100,000 topics, a thousand on each of 100 connections: each event reaches exactly its one connection', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: (request) => names(owner(request)) }) })
  const told = { active: 0, idle: 0 }
  app.topics.on('active', () => { told.active++ }).on('idle', () => { told.idle++ })
  const began = performance.now()
  const clients = []
  for (let i = 0; i < CONNECTIONS; i++) clients.push(await subscribe(t, origin, `/?owner=${i}`))
  const subscribed = performance.now()
  t.same(told, { active: CONNECTIONS * EACH, idle: 0 })
  t.same([app.topics.subscribers('0/0'), app.topics.subscribers('99/999'), app.topics.subscribers('100/0')], [1, 1, 0])
  for (let n = 0; n < EACH; n++) {
    for (let i = 0; i < CONNECTIONS; i++) app.topics.publish(`${i}/${n * 7 % EACH}`, `${i} ${n}`)
    app.topics.publish(`nobody/${n}`, 'to nobody')
  }
  const published = performance.now()
  for (const client of clients) await until(() => client.events.length >= EACH || client.isEnded)
  const delivered = performance.now()
  for (const [i, client] of clients.entries()) {
    const expected = Array.from({ length: EACH }, (_, n) => `${i} ${n}`).join()
    if (client.data.join() !== expected) t.fail(`client ${i} got ${client.events.length}, ${client.data.slice(0, 3).join()} …`)
  }
  const times = [subscribed - began, published - subscribed, delivered - published].map(Math.round)
  t.comment(`subscribed in ${times[0]} ms, published in ${times[1]} ms, delivered in ${times[2]} ms`)
  t.ok(delivered - began < BOUND, `${times.join(' + ')} ms`)
  for (const client of clients) client.leave()
  await until(() => app.connections.size === 0)
  t.same(told, { active: CONNECTIONS * EACH, idle: CONNECTIONS * EACH })
  t.equal(app.topics.subscribers('0/0'), 0)
})

await t.test('a thousand topics that are subscribed and unsubscribed one by one', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', () => {}) })
  const client = await subscribe(t, origin, '/')
  const [connection] = app.connections
  const began = performance.now()
  for (const name of names('n')) {
    connection?.subscribe(name)
    app.topics.publish(name, name)
  }
  for (const name of names('n')) {
    app.topics.publish(name, 'again')
    connection?.unsubscribe(name)
    app.topics.publish(name, 'too late')
  }
  await client.count(2 * EACH)
  t.ok(performance.now() - began < BOUND, `${Math.round(performance.now() - began)} ms`)
  t.same(client.data, [...names('n'), ...names('n').map(() => 'again')])
})

for (const readers of [1, 20]) {
  await t.test(`20,000 publishes in one tick reach ${readers === 1 ? 'a fast reader' : '20 fast readers'}, all of them`, async (t) => {
    const { app, origin } = await start(t, (app) => { app.stream('/', { topics: ['a', 'b', 'c'] }) })
    const clients = await Promise.all(Array.from({ length: readers }, () => subscribe(t, origin, '/')))
    await until(() => app.connections.size === readers)
    for (let n = 0; n < 20_000; n++) app.topics.publish(['a', 'b', 'c', 'nobody'][n % 4] as string, n)
    const expected = Array.from({ length: 20_000 }, (_, n) => n).filter((n) => n % 4 !== 3).join()
    for (const client of clients) {
      await until(() => client.events.length >= 15_000 || client.isEnded)
      t.ok(client.data.join() === expected, `${client.data.length} of 15,000, the last one is ${client.data.at(-1) ?? ''}`)
      t.same(client.gaps, [])
    }
  })
}
