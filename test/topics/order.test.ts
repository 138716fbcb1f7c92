/** Several topics on one connection: one cursor, and the log's order across all of them, live and replayed. */
import t from 'tap'
import type { Connection } from '../../index.ts'
import { start } from '../support/server.ts'
import { subscribe } from '../support/subscriber.ts'
import { Witness } from '../support/witness.ts'

const TOPICS = ['a', 'b', 'c', 'd', 'e']
const turn = () => new Promise(setImmediate)

// Numbers that look random and are the same every time.
function * numbers (): Generator<number, never> {
  for (let seed = 1; ;) {
    seed = seed * 48271 % 2147483647
    yield seed
  }
}

await t.test('events of several topics come in the order in which they were published', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: (request) => (request.query as { topic: string[] }).topic })
  })
  const clients = [
    await subscribe(t, origin, '/?topic=a&topic=b'),
    await subscribe(t, origin, '/?topic=b&topic=a'),
    await subscribe(t, origin, '/?topic=a&topic=b&topic=c&topic=d&topic=e'),
    await subscribe(t, origin, '/?topic=e&topic=c')
  ]
  const subscribed = ['ab', 'ba', 'abcde', 'ec']
  const before = app.topics.position
  const random = numbers()
  const published: string[] = []
  for (let n = 0; n < 500; n++) {
    const topic = TOPICS[random.next().value % TOPICS.length] as string
    published.push(`${topic}${n}`)
    app.topics.publish(topic, `${topic}${n}`)
    if (random.next().value % 10 === 0) await turn()
  }
  for (const topic of TOPICS) app.topics.publish(topic, 'end')
  for (const [i, client] of clients.entries()) {
    const own = subscribed[i] as string
    const expected = [...published.filter((data) => own.includes(data[0] as string)), ...[...own].map(() => 'end')]
    await client.count(expected.length)
    t.same(client.data, expected, own)
    const query = [...own].map((topic) => `topic=${topic}`).join('&')
    const again = await subscribe(t, origin, `/?${query}`, { lastEventId: before })
    await again.count(expected.length)
    t.same(again.data, expected, `${own}, replayed`)
    t.same(again.ids, client.ids)
  }
})

await t.test('topics that come and go on a live connection keep the order, and so does a resume in the middle', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: TOPICS }) })
  const witness = new Witness(app)
  const random = numbers()
  let client = await subscribe(t, origin, '/')
  let connection = await witness.open()
  let subscribed = new Set(TOPICS)
  const expected: string[] = []
  const seen: string[] = []
  for (let n = 0; n < 1_000; n++) {
    const topic = TOPICS[random.next().value % TOPICS.length] as string
    app.topics.publish(topic, `${topic}${n}`)
    if (subscribed.has(topic)) expected.push(`${topic}${n}`)
    const what = random.next().value % 40
    if (what < 5) {
      const other = TOPICS[what] as string
      if (subscribed.delete(other)) connection.unsubscribe(other)
      else connection.subscribe(other)
      if (connection.phase === 'open' && app.topics.subscribers(other) === 1) subscribed.add(other)
    } else if (what === 5) {
      await turn()
    } else if (what === 6 && n % 3 === 0) {
      // Away for a while, and back with all topics.
      connection.subscribe(TOPICS)
      app.topics.publish('a', `before${n}`)
      expected.push(`before${n}`)
      await client.until(`data: before${n}\n`)
      connection.destroy()
      await client.ended()
      seen.push(...client.data)
      for (let away = 0; away < 20; away++) {
        const topic = TOPICS[away % TOPICS.length] as string
        app.topics.publish(topic, `${topic}away${n}-${away}`)
        expected.push(`${topic}away${n}-${away}`)
      }
      client = await subscribe(t, origin, '/', { lastEventId: client.lastEventId })
      connection = witness.opened.at(-1) as Connection
      subscribed = new Set(TOPICS)
    }
  }
  connection.subscribe(TOPICS)
  app.topics.publish('a', 'end')
  await client.until('data: end')
  seen.push(...client.data)
  t.ok(witness.opened.length > 5, `${witness.opened.length} connections`)
  t.same(seen, [...expected, 'end'])
})
