/** Resumable streams whose process dies, or seems to. */
import t from 'tap'
import { another } from '../support/cluster.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { NODE_TIMEOUT, resumableNode, twoNodes } from '../support/resumable.ts'
import { Script } from '../support/script.ts'
import { subscribe } from '../support/subscriber.ts'

const skip = withoutRedis()

await t.test('a stream whose process is killed ends with an error, for all its clients, also those that come later', { skip }, async (t) => {
  const redis = await startRedis(t)
  const feeding = await another(t, ['redis', redis.socket, NODE_TIMEOUT])
  const first = await subscribe(t, feeding.origin, '/count/a')
  await first.count(3)
  const script = new Script()
  const { app, origin } = await resumableNode(t, redis, script, '/count/:id')
  const waiting = await subscribe(t, origin, '/count/a')
  await waiting.count(5)
  feeding.child.kill('SIGKILL')
  await first.ended()
  const back = await subscribe(t, origin, '/count/a', { lastEventId: first.lastEventId })
  for (const client of [waiting, back]) await client.ended()
  for (const client of [waiting, back]) t.same(client.events.map(({ event }) => event === 'error').indexOf(true), client.events.length - 1, 'the error is the last')
  const numbers = waiting.data.slice(0, -1).map(Number)
  t.same(numbers, numbers.map((_, n) => n), 'behind all that there was')
  t.same([...first.data, ...back.data], waiting.data, 'with nothing missing, and nothing twice')
  t.equal((await subscribe(t, origin, '/count/a', { lastEventId: back.lastEventId })).status, 204)
  t.same(script.runs, [], 'it is not fed by another one from its start')
  t.equal(app.topics.position.split(':')[0], back.lastEventId?.split(':')[0])
})

await t.test('a process that is started when all are gone ends what they left', { skip }, async (t) => {
  const redis = await startRedis(t)
  const feeding = await another(t, ['redis', redis.socket, NODE_TIMEOUT])
  const first = await subscribe(t, feeding.origin, '/count/a')
  await first.count(2)
  feeding.child.kill('SIGKILL')
  await first.ended()
  const { origin } = await resumableNode(t, redis, new Script(), '/count/:id')
  const back = await subscribe(t, origin, '/count/a', { lastEventId: first.lastEventId })
  await back.ended()
  t.equal(back.events.at(-1)?.event, 'error')
})

await t.test('an engine that is away for longer than processes may be silent ends no stream', { skip }, async (t) => {
  const { redis, script, one, other } = await twoNodes(t)
  script.give('t1')
  const there = await subscribe(t, one.origin, '/a')
  const client = await subscribe(t, other.origin, '/a')
  await client.count(1)
  redis.suspend()
  await new Promise((resolve) => setTimeout(resolve, 7_000))
  redis.resume()
  script.give('t2').end()
  for (const one of [there, client]) {
    await one.ended()
    t.same(one.data, ['t1', 't2'])
  }
})
