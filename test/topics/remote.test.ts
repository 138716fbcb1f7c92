/** A log that answers later: the same promises, while reads and appends are under way. */
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PastelliOptions } from '../../index.ts'
import { RemoteLog } from '../support/remote-log.ts'
import { start, type Server } from '../support/server.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const turn = () => new Promise(setImmediate)

async function begin (t: Test, options: PastelliOptions = {}, log = new RemoteLog()): Promise<Server & { remote: RemoteLog }> {
  const server = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) }, { pastelli: { log, ...options } })
  return { ...server, remote: log }
}

// Reads wait until this is called.
function hold (remote: RemoteLog): () => void {
  let release: () => void = () => {}
  remote.held = new Promise<void>((resolve) => { release = resolve })
  return () => {
    remote.held = null
    release()
  }
}

await t.test('publish answers a promise of the id that clients see, in the order of the calls', async (t) => {
  const { app, origin } = await begin(t)
  const client = await subscribe(t, origin, '/')
  const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => app.topics.publish(n % 2 === 0 ? 'a' : 'b', n)))
  await client.count(20)
  t.same(client.ids, ids)
  t.same(client.data.map(Number), ids.map((_id, n) => n))
  await until(() => app.topics.position === ids.at(-1))
})

await t.test('what can not be encoded throws at once', async (t) => {
  const { app } = await begin(t)
  t.throws(() => app.topics.publish('a', undefined), { code: 'PST_ERR_DATA' })
  t.throws(() => app.topics.publish('', 1), { code: 'PST_ERR_TOPIC' })
})

await t.test('publishes that fail among others that do not are told once, and that it is over when none of them can fail any more', async (t) => {
  const { app, remote, lines, logged } = await begin(t)
  const told = () => ['what was published is not in the log', 'what is published is in the log again'].map((msg) => lines(msg).length)
  const late = Array.from({ length: 3 }, (_, n) => {
    let fail: (error: Error) => void = () => {}
    remote.answer = new Promise((_resolve, reject) => { fail = reject })
    const published = Promise.resolve(app.topics.publish('a', n)).catch(({ message }: Error) => message)
    return { published, fail }
  })
  remote.answer = null
  for (const [n, { published, fail }] of late.entries()) {
    await app.topics.publish('a', `in time ${n}`)
    fail(new Error(`late ${n}`))
    t.equal(await published, `late ${n}`)
    t.same(told(), [1, 0])
  }
  await app.topics.publish('a', 'the last one')
  t.match(await logged('what is published is in the log again'), { failures: 3 })
  t.same(told(), [1, 1])
  await app.topics.publish('a', 'one more')
  t.same(told(), [1, 1])
})

await t.test('clients that come and go all the time miss nothing and get nothing twice', async (t) => {
  const { app, origin } = await begin(t)
  let isOver = false
  const seen = await Promise.all([
    publishFor(1_000).then(() => []),
    ...Array.from({ length: 8 }, (_, i) => comeAndGo(15 + 6 * i))
  ])
  for (const numbers of seen.slice(1)) {
    t.ok(numbers.length > 0 && numbers.every((n, i) => i === 0 || n === numbers[i - 1] as number + 1), `${numbers.length} events from ${numbers[0] ?? ''} on`)
  }

  async function publishFor (ms: number): Promise<void> {
    const began = performance.now()
    for (let n = 1; performance.now() - began < ms; n++) {
      void app.topics.publish(n % 3 === 0 ? 'b' : 'a', n)
      if (n % 3 === 0) await turn()
    }
    isOver = true
    await app.topics.publish('a', 'end')
  }

  async function comeAndGo (ms: number): Promise<number[]> {
    const numbers: number[] = []
    for (let lastEventId = ''; ;) {
      const client = await subscribe(t, origin, '/', { lastEventId })
      if (isOver) await client.until('data: end')
      else await delay(ms)
      client.leave()
      t.same(client.gaps, [])
      numbers.push(...client.data.filter((data) => data !== 'end').map(Number))
      if (client.data.at(-1) === 'end') return numbers
      lastEventId = client.lastEventId
    }
  }
})

await t.test('a connection is live while something is published all the time, and does not read for each event', async (t) => {
  const { app, origin, remote } = await begin(t)
  const clients = await Promise.all(Array.from({ length: 10 }, () => subscribe(t, origin, '/')))
  for (let n = 0; n < 300; n++) {
    void app.topics.publish('a', n)
    await turn()
  }
  for (const client of clients) await client.count(300)
  t.ok(remote.reads < 20, `${remote.reads} reads for 10 connections and 300 events`)
})

await t.test('a newcomer is live after one read, also where that takes longer than the pause between two events', async (t) => {
  const { app, origin, remote } = await begin(t)
  remote.pause = 30
  let last = -1
  const timer = setInterval(() => { void app.topics.publish(++last % 3 === 0 ? 'b' : 'a', last) }, 4)
  t.teardown(() => { clearInterval(timer) })
  await until(() => last > 5)
  const clients = await Promise.all(Array.from({ length: 5 }, () => subscribe(t, origin, '/')))
  await until(() => last > 100)
  clearInterval(timer)
  for (const client of clients) {
    await client.until(`data: ${last}\n`)
    const [first] = client.data.map(Number) as [number]
    t.same(client.data.map(Number), Array.from({ length: last - first + 1 }, (_, i) => first + i))
  }
  t.ok(remote.reads <= clients.length * 2, `${remote.reads} reads`)
})

await t.test('what is kept for a read is bounded, and who needs more reads again', async (t) => {
  const { app, origin, remote } = await begin(t)
  const release = hold(remote)
  const clients = [await subscribe(t, origin, '/', { lastEventId: `${app.topics.position}` })]
  const first = await app.topics.publish('a', 'first')
  await until(() => app.topics.position === first)
  clients.push(await subscribe(t, origin, '/', { lastEventId: first }))
  for (let n = 0; n < 2_500; n++) await app.topics.publish('a', n)
  release()
  await app.topics.publish('b', 'last')
  for (const client of clients) await client.until('data: last')
  const all = Array.from({ length: 2_500 }, (_, n) => String(n))
  t.same(clients.map(({ data }) => data), [['first', ...all, 'last'], [...all, 'last']])
})

await t.test('when the log has lost what it held, every client is told of the gap, and goes on with what comes', async (t) => {
  const { app, origin, remote } = await begin(t)
  const witness = new Witness(app)
  const live = await subscribe(t, origin, '/')
  const before = await app.topics.publish('a', 'before')
  await live.count(1)
  const release = hold(remote)
  const reading = await subscribe(t, origin, '/', { lastEventId: before.replace(/1$/, '0') })
  await until(() => remote.reads > 1)
  const idle = await witness.open(1)
  const left = await subscribe(t, origin, '/')
  left.leave()
  remote.lose()
  release()
  for (const client of [live, reading]) await until(() => client.gaps.length === 1, 'the gap is told')
  t.match(live.gaps, [{ reason: 'foreign', from: before, to: app.topics.position }])
  t.match(reading.gaps, [{ reason: 'foreign', from: before.replace(/1$/, '0'), to: app.topics.position }])
  idle.unsubscribe(['a', 'b'])
  remote.lose()
  await app.topics.publish('a', 'after')
  await live.until('data: after')
  t.same(live.data, ['before', 'after'])
  t.same(live.gaps.length, 2)
  idle.subscribe('a')
  await until(() => reading.gaps.length === 2, 'also to one that was subscribed to nothing when it happened')
})

await t.test('closing, unsubscribing and leaving while a read is under way', async (t) => {
  for (const what of ['close', 'destroy', 'unsubscribe', 'leave', 'subscribe'] as const) {
    const { app, origin, remote, noise } = await begin(t)
    const first = await app.topics.publish('a', 'missed a')
    await app.topics.publish('b', 'missed b')
    await until(() => app.topics.position.endsWith(':2'))
    const release = hold(remote)
    const witness = new Witness(app)
    const client = await subscribe(t, origin, '/', { lastEventId: first.replace(/1$/, '0') })
    const connection = await witness.open()
    await until(() => remote.reads === 1)
    if (what === 'leave') client.leave()
    else if (what === 'unsubscribe') connection.unsubscribe('b')
    else if (what === 'subscribe') connection.subscribe('c')
    else connection[what]()
    if (what === 'leave') await witness.sees(t, 'client')
    release()
    if (what === 'unsubscribe' || what === 'subscribe') {
      await app.topics.publish('c', 'live c')
      await app.topics.publish('a', 'live a')
      await client.until('live a')
      t.same(client.data, what === 'unsubscribe' ? ['missed a', 'live a'] : ['missed a', 'missed b', 'live c', 'live a'])
      client.leave()
    } else if (what !== 'leave') {
      await client.ended()
      await witness.sees(t, 'server')
      t.same(client.data, [])
    }
    await until(() => app.topics.subscribers('a') === 0)
    t.same(noise(), [])
  }
})

await t.test('a read that is under way when rights are asked again gives nothing to who lost them, and nobody misses anything', async (t) => {
  const may = new Set(['ann', 'bob'])
  const { app, origin, remote } = await begin(t, { canSubscribe: ({ headers }) => may.has(headers['x-user'] as string) })
  const first = await app.topics.publish('a', 'missed')
  await until(() => app.topics.position === first)
  const release = hold(remote)
  const lastEventId = first.replace(/1$/, '0')
  const ann = await subscribe(t, origin, '/', { lastEventId, headers: { 'x-user': 'ann' } })
  const bob = await subscribe(t, origin, '/', { lastEventId, headers: { 'x-user': 'bob' } })
  await until(() => remote.reads === 2)
  may.delete('bob')
  await app.topics.reauthorize()
  release()
  await app.topics.publish('a', 'live')
  await ann.count(2)
  await bob.ended()
  t.same([ann.data, bob.data], [['missed', 'live'], []])
})

await t.test('a read that fails ends the stream with error, and its client comes back where it was', async (t) => {
  const { app, origin, remote, lines } = await begin(t)
  const first = await app.topics.publish('a', 'missed')
  await until(() => app.topics.position === first)
  const witness = new Witness(app)
  remote.failure = new Error('no connection to the log')
  const client = await subscribe(t, origin, '/', { lastEventId: first.replace(/1$/, '0') })
  await client.ended()
  await witness.sees(t, 'error')
  t.match(lines('a stream failed')[0]?.err, { message: 'no connection to the log' })
  remote.failure = null
  const again = await subscribe(t, origin, '/', { lastEventId: client.lastEventId })
  await again.count(1)
  t.same(again.data, ['missed'])
})

await t.test('trimmed while it is read, the client is told of the gap', async (t) => {
  const { app, origin, remote } = await begin(t, {}, new RemoteLog({ events: 5 }))
  const first = await app.topics.publish('a', 'missed')
  await until(() => app.topics.position === first)
  const release = hold(remote)
  const client = await subscribe(t, origin, '/', { lastEventId: first.replace(/1$/, '0') })
  await until(() => remote.reads === 1)
  for (let n = 0; n < 20; n++) await app.topics.publish('a', n)
  await until(() => app.topics.position.endsWith(':21'))
  release()
  await client.count(1)
  t.match(client.gaps, [{ reason: 'trimmed', from: first.replace(/1$/, '0'), to: app.topics.position }])
  await app.topics.publish('a', 'live')
  await client.until('data: live')
  t.same(client.data, ['live'])
})
