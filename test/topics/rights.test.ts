/** `canSubscribe`, `topics.reauthorize()` and `connection.expire()`: nobody gets what it may not see, and nobody else misses anything. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import type { Connection, PastelliOptions } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

type CanSubscribe = NonNullable<PastelliOptions['canSubscribe']>

const turn = () => new Promise(setImmediate)
const user = (request: FastifyRequest) => (request.query as { user: string }).user
const bare = (app: FastifyInstance) => { app.stream('/', () => {}) }

// What nobody handles would end the process.
const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => { unhandled.push(reason) })

// Rights that are asked for one after the other, and answered when the test says so.
class Judge {
  readonly asked: Array<{ user: string, topic: string, answer: (may: boolean) => void, fail: (error: Error) => void }> = []

  readonly canSubscribe: CanSubscribe = async (request, topic) => await new Promise<boolean>((resolve, reject) => {
    this.asked.push({ user: user(request), topic, answer: resolve, fail: reject })
  })

  /** Answers everything asked so far. */
  async answer (may: (user: string, topic: string) => boolean): Promise<void> {
    for (const { user, topic, answer } of this.asked.splice(0)) answer(may(user, topic))
    await turn()
  }
}

await t.test('canSubscribe is asked with the request and the topic, on every subscription', async (t) => {
  const asked: string[] = []
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: ['a', 'b'] }, (_request, reply) => { reply.connection.subscribe('c') })
  }, {
    pastelli: {
      canSubscribe: (request, topic) => {
        asked.push(`${request.headers['x-user'] as string} ${topic}`)
        return true
      }
    }
  })
  const client = await subscribe(t, origin, '/', { headers: { 'x-user': 'ann' } })
  const [connection] = app.connections
  connection?.subscribe('a', { filter: () => true })
  t.same(asked, ['ann a', 'ann b', 'ann c', 'ann a'])
  app.topics.publish('c', 'hello')
  await client.count(1)
})

await t.test('only true is a yes', async (t) => {
  for (const answer of [false, undefined, null, 0, 1, 'yes', {}] as unknown as boolean[]) {
    for (const canSubscribe of [() => answer, async () => answer]) {
      const { app, origin } = await start(t, bare, { pastelli: { canSubscribe } })
      await subscribe(t, origin, '/')
      const [connection] = app.connections
      await t.rejects(async () => await connection?.subscribe('a'), { code: 'PST_ERR_FORBIDDEN', statusCode: 403 }, String(answer))
      t.equal(app.topics.subscribers('a'), 0)
    }
  }
})

await t.test('what canSubscribe throws is thrown, or the answer of the route', async (t) => {
  const failing: Record<string, CanSubscribe> = {
    throws: () => { throw Object.assign(new Error('no token'), { statusCode: 401 }) },
    rejects: async () => {
      await turn()
      throw Object.assign(new Error('no token'), { statusCode: 401 })
    }
  }
  for (const [how, canSubscribe] of Object.entries(failing)) {
    const { app, origin } = await start(t, (app) => {
      bare(app)
      app.stream('/a', { topics: 'a' })
    }, { pastelli: { canSubscribe } })
    await subscribe(t, origin, '/')
    const [connection] = app.connections
    await t.rejects(async () => await connection?.subscribe('a'), { message: 'no token' }, how)
    t.equal(connection?.phase, 'open')
    const client = await subscribe(t, origin, '/a')
    t.equal(client.status, 401)
    t.equal(app.topics.subscribers('a'), 0)
  }
})

await t.test('a refusal that nobody waits for is logged, and ends neither the stream nor the process', async (t) => {
  const answers: Record<string, Promise<boolean> | boolean> = { yes: true, no: false }
  const { app, origin, lines } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.connection.subscribe('later no') })
  }, {
    pastelli: {
      canSubscribe: (_request, topic) => {
        const [when, what] = topic.split(' ') as [string, string]
        if (when === 'later') return turn().then(() => answers[what] ?? Promise.reject(new Error('broken')))
        return answers[what] as boolean
      }
    }
  })
  const client = await subscribe(t, origin, '/')
  const [connection] = app.connections
  await until(() => lines('a subscription was refused').length === 1)
  connection?.subscribe('later broken')
  await until(() => lines('a subscription was refused').length === 2)
  t.throws(() => connection?.subscribe(['later no', 'now no']), { code: 'PST_ERR_FORBIDDEN' }, 'refused at once while another answer is pending')
  t.throws(() => connection?.subscribe(['later broken', 'later no', 'now no']), { code: 'PST_ERR_FORBIDDEN' })
  await turn()
  await turn()
  t.same(unhandled, [])
  connection?.event('still here', { id: 7 })
  await client.until('id: 7\ndata: still here')
  t.notMatch(client.text, `id: ${app.topics.position}`, 'who is subscribed to nothing is told no position')
  await connection?.subscribe('now yes')
  app.topics.publish('now yes', 'topic event')
  await client.until('data: topic event')
})

await t.test('a position that is refused while canSubscribe has not answered crashes nothing', async (t) => {
  const { app, origin } = await start(t, bare, {
    pastelli: {
      canSubscribe: (_request, topic) => {
        if (topic === 'a') return true
        return turn().then(() => { throw new Error('broken') })
      }
    }
  })
  const before = app.topics.publish('a', 1) as string
  app.topics.publish('a', 2)
  await subscribe(t, origin, '/')
  const [connection] = app.connections
  await connection?.subscribe('a')
  t.throws(() => connection?.subscribe('b', { after: before }), { code: 'PST_ERR_POSITION' })
  await turn()
  await turn()
  t.same(unhandled, [])
})

await t.test('what is published while canSubscribe decides is not missed, and not seen before', async (t) => {
  const judge = new Judge()
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { void reply.connection.subscribe('a') })
  }, { pastelli: { canSubscribe: judge.canSubscribe } })
  const client = await subscribe(t, origin, '/?user=ann')
  app.topics.publish('a', 'pending')
  await turn()
  t.equal(client.text, ':\n\n')
  t.equal(app.topics.subscribers('a'), 0)
  await judge.answer(() => true)
  app.topics.publish('a', 'live')
  await client.count(2)
  t.same(client.data, ['pending', 'live'])
})

await t.test('a heartbeat while canSubscribe decides tells no position: there may be a gap to tell of first', async (t) => {
  const judge = new Judge()
  const { app, origin } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { void reply.connection.subscribe('a') })
  }, { pastelli: { canSubscribe: judge.canSubscribe, heartbeat: 20 } })
  const client = await subscribe(t, origin, '/?user=ann', { lastEventId: 'no position' })
  await client.until(': heartbeat\n\n: heartbeat\n\n')
  t.equal(client.lastEventId, '')
  await judge.answer(() => true)
  await client.count(1)
  t.match(client.gaps, [{ reason: 'malformed', from: null, to: app.topics.position }])
  await client.until(`: heartbeat\nid: ${app.topics.position}\n\n`)
})

await t.test('several subscriptions that are pending: each has its own answer, and the order stays the log\'s', async (t) => {
  const judge = new Judge()
  const { app, origin } = await start(t, bare, { pastelli: { canSubscribe: judge.canSubscribe } })
  const client = await subscribe(t, origin, '/?user=ann')
  const [connection] = app.connections as unknown as [Connection]
  const pending = ['a', 'b', 'c'].map((topic) => connection.subscribe(topic) as Promise<void>)
  const settled = Promise.allSettled(pending)
  for (const topic of ['a', 'b', 'c']) app.topics.publish(topic, topic + '1')
  judge.asked[2]?.answer(true)
  await turn()
  judge.asked[1]?.answer(false)
  await turn()
  t.equal(client.data.length, 0, 'a is not known yet, and comes first')
  judge.asked[0]?.answer(true)
  t.same((await settled).map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled'])
  for (const topic of ['a', 'b', 'c']) app.topics.publish(topic, topic + '2')
  await client.count(4)
  t.same(client.data, ['a1', 'c1', 'a2', 'c2'])
})

await t.test('unsubscribed while its answer is pending, a topic is not subscribed', async (t) => {
  const judge = new Judge()
  const { app, origin } = await start(t, bare, { pastelli: { canSubscribe: judge.canSubscribe } })
  const client = await subscribe(t, origin, '/?user=ann')
  const [connection] = app.connections as unknown as [Connection]
  const pending = connection.subscribe(['a', 'b'])
  connection.unsubscribe('a')
  await judge.answer(() => true)
  await pending
  t.same([app.topics.subscribers('a'), app.topics.subscribers('b')], [0, 1])
  app.topics.publish('a', 'a')
  app.topics.publish('b', 'b')
  await client.count(1)
  t.same(client.data, ['b'])
  const again = connection.subscribe('c')
  connection.unsubscribe('c')
  const last = connection.subscribe('c')
  await judge.answer(() => true)
  await Promise.all([again, last])
  t.equal(app.topics.subscribers('c'), 1, 'and asked for again, it is')
})

await t.test('a client that leaves while canSubscribe decides is forgotten', async (t) => {
  const judge = new Judge()
  const { app, port } = await start(t, (app) => {
    bare(app)
    app.stream('/a', { topics: 'a' }, () => {})
  }, { pastelli: { canSubscribe: judge.canSubscribe } })
  const witness = new Witness(app)
  const waiting = (await connect(t, port)).get('/a?user=bob')
  await until(() => judge.asked.length === 1)
  const open = (await connect(t, port)).get('/?user=ann')
  const connection = await witness.open()
  const pending = connection.subscribe('a')
  open.leave()
  waiting.leave()
  await witness.sees(t, 'client')
  await until(() => [...app.connections.opening].length === 0)
  await judge.answer(() => true)
  await pending
  t.equal(app.topics.subscribers('a'), 0)
  t.same(unhandled, [])
})

await t.test('a replay is under today\'s rights', async (t) => {
  let may = true
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: 'secret' })
  }, { pastelli: { canSubscribe: () => may } })
  const client = await subscribe(t, origin, '/')
  app.topics.publish('secret', 1)
  await client.count(1)
  client.leave()
  app.topics.publish('secret', 2)
  may = false
  const second = await subscribe(t, origin, '/', { lastEventId: client.lastEventId })
  await second.ended()
  t.equal(second.status, 403)
})

await t.test('reauthorize: who loses a right gets nothing from the call on and ends with expired, who keeps it misses nothing', async (t) => {
  const judge = new Judge()
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { canSubscribe: judge.canSubscribe } })
  const witness = new Witness(app)
  const opening = [subscribe(t, origin, '/?user=ann'), subscribe(t, origin, '/?user=bob')]
  await until(() => judge.asked.length === 2)
  await judge.answer(() => true)
  const [ann, bob] = await Promise.all(opening) as [Awaited<typeof opening[0]>, Awaited<typeof opening[0]>]
  app.topics.publish('a', 1)
  await Promise.all([ann.count(1), bob.count(1)])
  app.topics.publish('a', 'in the tick of the call')
  const done = app.topics.reauthorize()
  app.topics.publish('a', 'pending')
  for (let i = 0; i < 20; i++) await turn()
  t.same([ann.data, bob.data], [['1'], ['1']], 'nothing is delivered before the answer')
  t.same(judge.asked.map(({ user, topic }) => `${user} ${topic}`).sort(), ['ann a', 'bob a'])
  await judge.answer((user) => user === 'ann')
  await done
  app.topics.publish('a', 'after')
  await ann.count(4)
  await bob.ended()
  t.same(ann.data, ['1', 'in the tick of the call', 'pending', 'after'])
  t.same(bob.data, ['1'])
  t.same(witness.closed.map(({ reason }) => reason), ['expired'])
  t.equal(app.topics.subscribers('a'), 1)
})

await t.test('reauthorize asks about one connection, about all of its topics, and again if it is told again', async (t) => {
  const asked: string[] = []
  let may = true
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) }, {
    pastelli: {
      canSubscribe: (request, topic) => {
        asked.push(`${user(request)} ${topic}`)
        return may
      }
    }
  })
  const witness = new Witness(app)
  const ann = await subscribe(t, origin, '/?user=ann')
  const bob = await subscribe(t, origin, '/?user=bob')
  asked.length = 0
  await app.topics.reauthorize(witness.opened[0])
  t.same(asked, ['ann a', 'ann b'])
  const both = [app.topics.reauthorize(), app.topics.reauthorize(witness.opened[1])]
  await Promise.all(both)
  t.same(asked.slice(2).sort(), ['ann a', 'ann b', 'bob a', 'bob a', 'bob b', 'bob b'])
  app.topics.publish('a', 'live')
  await Promise.all([ann.count(1), bob.count(1)])
  may = false
  await app.topics.reauthorize(witness.opened[1])
  await bob.ended()
  app.topics.publish('b', 'for ann')
  await ann.count(2)
  t.same(witness.closed.map(({ reason }) => reason), ['expired'])
})

await t.test('reauthorize with a canSubscribe that fails ends the stream with error', async (t) => {
  for (const fail of [() => { throw new Error('no database') }, async () => { throw new Error('no database') }]) {
    let ask: CanSubscribe = () => true
    const { app, origin, lines } = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) }, {
      pastelli: { canSubscribe: (request, topic) => ask(request, topic) }
    })
    const witness = new Witness(app)
    const client = await subscribe(t, origin, '/')
    ask = fail
    await app.topics.reauthorize()
    await client.ended()
    await witness.sees(t, 'error')
    t.match(lines('a stream failed')[0]?.err, { message: 'no database' })
  }
  await turn()
  t.same(unhandled, [])
})

await t.test('reauthorize holds a connection that is about to open, too', async (t) => {
  let may = true
  let resume: (() => void) | undefined
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, async () => await new Promise<void>((resolve) => { resume = resolve }))
  }, { pastelli: { canSubscribe: () => may } })
  const opening = subscribe(t, origin, '/')
  await until(() => resume)
  app.topics.publish('a', 'secret')
  may = false
  await app.topics.reauthorize()
  resume?.()
  const client = await opening
  await client.ended()
  t.same(client.data, [])
  t.equal(app.topics.subscribers('a'), 0)
})

await t.test('an answer that is older than the change of rights does not count', async (t) => {
  const judge = new Judge()
  const { app, origin } = await start(t, bare, { pastelli: { canSubscribe: judge.canSubscribe } })
  const client = await subscribe(t, origin, '/?user=ann')
  const [connection] = app.connections as unknown as [Connection]
  const pending = connection.subscribe('a') as Promise<void>
  const rejected = t.rejects(pending, { code: 'PST_ERR_FORBIDDEN' })
  await app.topics.reauthorize()
  await judge.answer(() => true)
  await until(() => judge.asked.length === 1)
  await judge.answer(() => false)
  await rejected
  t.equal(app.topics.subscribers('a'), 0)
  app.topics.publish('a', 'secret')
  connection.event('end')
  await client.until('data: end')
  t.same(client.data, ['end'])
})

await t.test('without canSubscribe, reauthorize asks nobody and changes nothing', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const client = await subscribe(t, origin, '/')
  await app.topics.reauthorize()
  app.topics.publish('a', 1)
  await client.count(1)
})

await t.test('a connection ends with expired at the time it is told, within a second; the earliest counts', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, (request, reply) => {
      const { in: ms } = request.query as { in: string }
      const at = Date.now() + Number(ms)
      reply.connection.expire(at)
      reply.connection.expire(new Date(at + 60_000))
      t.ok(Math.abs(reply.connection.expiresAt as number - at) <= 1)
    })
  }, { pastelli: { heartbeat: 100, maxAge: 60_000 } })
  const witness = new Witness(app)
  const soon = await subscribe(t, origin, '/?in=150')
  const asked = performance.now()
  const late = await subscribe(t, origin, '/?in=50000')
  t.throws(() => { witness.opened[0]?.expire(NaN) }, { code: 'PST_ERR_ARGUMENT' })
  t.throws(() => { witness.opened[0]?.expire('soon' as never) }, { code: 'PST_ERR_ARGUMENT' })
  app.topics.publish('a', 'before')
  await soon.ended()
  t.ok(performance.now() - asked > 100)
  t.same(soon.data, ['before'])
  t.same(witness.closed.map(({ reason }) => reason), ['expired'])
  witness.opened[1]?.expire(Date.now() - 1)
  await late.ended()
  t.same(witness.closed.map(({ reason }) => reason), ['expired', 'expired'])
})

await t.test('nothing was left unhandled', async (t) => {
  await turn()
  t.same(unhandled, [])
})
