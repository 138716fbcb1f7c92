/** Who reads a stream: iterators, listeners, and what waits for them. */
import { getEventListeners } from 'node:events'
import t from 'tap'
import { connect, type Link } from '../../client/index.ts'
import { open, openToIterate, overWebSocket } from '../support/client.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

await t.test('an iterator gets type, data and id of each event, and breaking off the loop leaves', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.event({ n: 1 })
      reply.event('no JSON', { event: 'note', id: 'x' })
      reply.event('2')
    })
  })
  const witness = new Witness(server.app)
  const { stream } = openToIterate(t, server.origin)
  const events = []
  for await (const event of stream) if (events.push({ ...event }) === 3) break
  t.same(events, [
    { event: 'message', data: { n: 1 }, id: undefined },
    { event: 'note', data: 'no JSON', id: 'x' },
    { event: 'message', data: 2, id: undefined }
  ])
  t.equal(stream.state, 'closed')
  await witness.sees(t, 'client')
})

await t.test('data is parsed when it is asked for, once, as the option says', async (t) => {
  const server = await start(t, (app) => { app.stream('/', (_request, reply) => { for (const n of [1, 2]) reply.event(n, { event: 'n' }) }) })
  const parsed: unknown[] = []
  const { stream } = openToIterate(t, server.origin, { parse: (text, event) => parsed.push([text, event]) && `${text}!` })
  const events = stream[Symbol.asyncIterator]()
  const first = await events.next()
  const { value } = await events.next()
  t.equal(first.done, false)
  t.same(parsed, [])
  t.same([value.data, value.data], ['2!', '2!'])
  t.same(parsed, [['2', 'n']])
})

await t.test('what a listener throws is reported and keeps nobody from going on', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const errors: unknown[] = []
  const failing = () => { throw new Error('sync') }
  const client = open(t, server.origin, { onError: (error) => { errors.push(error) }, onGap: failing, lastEventId: 'nonsense' })
  client.stream.on('message', failing).on('message', async () => { throw new Error('async') })
  await client.becomes('open')
  server.app.topics.publish('a', 1)
  server.app.topics.publish('a', 2)
  await client.sees(1, 2)
  await until(() => errors.length === 5)
  t.same(errors.map((error) => (error as Error).message).sort(), ['async', 'async', 'sync', 'sync', 'sync'])
  client.stream.off('message', failing).off('nothing', failing)
  server.app.topics.publish('a', 3)
  await client.sees(1, 2, 3)
  await until(() => errors.length === 6)
})

await t.test('what onError throws is an error that nobody caught, and keeps nobody from going on either', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const reported: unknown[] = []
  t.intercept(globalThis, 'reportError' as never, { value: (error: unknown) => { reported.push(error) }, configurable: true } as never)
  const client = open(t, server.origin, { onError: () => { throw new Error('onError') } })
  client.stream.on('message', () => { throw new Error('listener') })
  await client.becomes('open')
  server.app.topics.publish('a', 1)
  server.app.topics.publish('a', 2)
  await client.sees(1, 2)
  await until(() => reported.length === 2)
  t.match(reported, [{ message: 'onError' }, { message: 'onError' }])
  t.equal(client.states.filter((state) => state === 'open').length, 1)
})

await t.test('without onError it goes to reportError, and where there is none to whoever catches what nobody does', async (t) => {
  const server = await start(t, (app) => { app.stream('/', (_request, reply) => { reply.event(1) }) })
  const global = globalThis as { reportError?: (error: unknown) => void }
  const known = global.reportError
  t.teardown(() => { global.reportError = known })
  const reported = await new Promise<unknown>((resolve) => {
    global.reportError = resolve
    open(t, server.origin).stream.on('message', () => { throw new Error('reported') })
  })
  t.match(reported, { message: 'reported' })
  global.reportError = undefined
  const thrown = await new Promise<unknown>((resolve) => {
    t.intercept(globalThis, 'queueMicrotask', { value: (run: () => void) => Promise.resolve().then(run).catch(resolve) })
    open(t, server.origin).stream.on('message', () => { throw new Error('thrown') })
  })
  t.match(thrown, { message: 'thrown' })
})

await t.test('the end of a stream that nobody watches is reported', async (t) => {
  const server = await start(t, () => {})
  const error = await new Promise((resolve) => { connect(server.origin, { onError: resolve }) })
  t.match(error, { status: 404 })
})

await t.test('what comes before the first listener waits for it, and for others of the same tick', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.event(1)
      reply.event(2, { event: 'other' })
    })
  })
  const { stream, becomes } = openToIterate(t, server.origin)
  await becomes('open')
  await until(() => server.app.connections.size === 1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const seen: unknown[] = []
  stream.on('message', ({ data }) => { seen.push(data) }).on('other', ({ data }) => { seen.push(data) })
  await until(() => seen.length === 2)
  t.same(seen, [1, 2])
})

await t.test('of what waited, who closes the stream hears no more, who leaves has the rest kept, and what comes meanwhile comes behind it', async (t) => {
  const waiting = async () => {
    let link!: Link
    const transport = (given: Link) => {
      link = given
      link.opened()
      for (const n of [1, 2, 3]) link.received('message', () => n, undefined)
      return new Promise<never>(() => {})
    }
    const client = openToIterate(t, 'http://127.0.0.1', { transport })
    await client.becomes('open')
    const seen: unknown[] = []
    return { ...client, seen, receive: (n: number) => { link.received('message', () => n, undefined) } }
  }

  const closing = await waiting()
  closing.stream.on('message', ({ data }) => {
    closing.seen.push(data)
    closing.stream.close()
  })
  await closing.becomes('closed')
  t.same(closing.seen, [1])

  const { stream, seen } = await waiting()
  const take = ({ data }: { data: unknown }) => {
    seen.push(data)
    stream.off('message', take)
  }
  for (const n of [1, 2, 3]) {
    stream.on('message', take)
    await until(() => seen.length >= n)
  }
  t.same(seen, [1, 2, 3])

  const late = await waiting()
  queueMicrotask(() => { late.receive(4) })
  late.stream.on('message', ({ data }) => { late.seen.push(data) })
  await until(() => late.seen.length === 4)
  t.same(late.seen, [1, 2, 3, 4])
})

for (const [name, options] of [['fetch', {}], ['WebSocket', overWebSocket]] as const) {
  await t.test(`what nobody reads stays with the server, by ${name}, and comes when it is read`, async (t) => {
    const server = await start(t, (app) => { app.stream('/', { topics: 'a', websocket: {} }) })
    const { stream, becomes, states } = openToIterate(t, server.origin, { ...options, buffer: 10, heartbeatTimeout: 300 })
    await becomes('open')
    await until(() => stream.lastEventId)
    const text = 'x'.repeat(10_000)
    for (let n = 0; n < 300; n++) server.app.topics.publish('a', { n, text })
    await new Promise((resolve) => setTimeout(resolve, 500))   // longer than the watchdog's patience
    t.not(stream.lastEventId, server.app.topics.position, 'not everything is read')
    t.equal(states.filter((state) => state === 'connecting').length, 1, 'and silence means nothing')
    const seen: unknown[] = []
    for await (const { data } of stream) if (seen.push((data as { n: number }).n) === 300) break
    t.same(seen, Array.from({ length: 300 }, (_, n) => n))
  })
}

await t.test('what can\'t be had later and has no room ends a WebSocket without ids', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { websocket: { init: (_request, connection) => { for (let n = 0; n < 9; n++) connection.event(n) } } }) })
  const { stream, becomes } = openToIterate(t, server.origin, { ...overWebSocket, buffer: 5 })
  t.match(await becomes('closed'), { error: { code: 'PST_ERR_OVERFLOW' } })
  const seen: unknown[] = []
  await t.rejects(async () => { for await (const { data } of stream) seen.push(data) }, { code: 'PST_ERR_OVERFLOW' })
  t.same(seen, [0, 1, 2, 3, 4], 'behind what was there')
})

await t.test('a signal closes it at any time, and nothing is left', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a', websocket: {} }) })
  const witness = new Witness(server.app)
  const aborted = openToIterate(t, server.origin, { signal: AbortSignal.abort() })
  await aborted.becomes('closed')
  t.same(aborted.states, ['closed'])
  for (const options of [{}, overWebSocket]) {
    for (const state of ['connecting', 'open', 'waiting'] as const) {
      const controller = new AbortController()
      const address = state === 'waiting' ? 'http://127.0.0.1:1/' : server.origin
      const client = openToIterate(t, address, { ...options, retry: 60_000, signal: controller.signal })
      const next = client.stream[Symbol.asyncIterator]().next()
      await client.becomes(state)
      controller.abort()
      t.equal(client.stream.state, 'closed')
      t.same(await next, { done: true, value: undefined }, `who waits is released from ${state}`)
    }
  }
  await witness.sees(t, 'client')
})

await t.test('several who wait share the events, and the first one gets the error', async (t) => {
  const server = await start(t, (app) => {
    let count = 0
    app.stream('/', (_request, reply) => {
      if (count++ > 0) return reply.code(403).send()
      reply.event(1)
      reply.closeChunk()
    })
  })
  const { stream } = openToIterate(t, server.origin)
  const [one, other] = [stream[Symbol.asyncIterator](), stream[Symbol.asyncIterator]()]
  const results = await Promise.allSettled([one.next(), other.next(), one.next()])
  t.match(results, [{ value: { value: { data: 1 } } }, { reason: { status: 403 } }, { value: { done: true } }])
})

await t.test('an attempt that waits for room again and again leaves no listener behind', async (t) => {
  let link!: Link
  const ROUNDS = 50
  const transport = async (given: Link) => {
    link = given
    link.opened()
    for (let n = 0; n < ROUNDS; n++) {
      link.received('message', () => n, String(n))
      if (link.isFull()) await link.room()
    }
    return false
  }
  const { stream } = openToIterate(t, 'http://127.0.0.1', { transport, buffer: 1 })
  const listening = new Set<number>()
  const read: unknown[] = []
  for await (const { data } of stream) {
    listening.add(getEventListeners(link.signal, 'abort').length)
    read.push(data)
  }
  t.equal(read.length, ROUNDS)
  t.ok(listening.size <= 2, `so many were there: ${[...listening].join(', ')}`)
})
