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
