/** What a client asks with, and what it makes of the answers. */
import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { connect, StreamError } from '../../client/index.ts'
import { webSocket } from '../../client/websocket.ts'
import { open, openToIterate, overWebSocket } from '../support/client.ts'
import { openGate } from '../support/gate.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'

await t.test('a POST with a token is asked again with its body and a fresh token, behind what was received', async (t) => {
  const asked: Array<Partial<FastifyRequest>> = []
  const server = await start(t, (app) => {
    app.addHook('onRequest', async (request, reply) => { if (!/^Bearer \d$/.test(request.headers.authorization ?? '')) await reply.code(401).send('who?') })
    app.stream('/', { method: 'POST', topics: 'a' }, ({ headers, body }) => { asked.push({ headers, body }) })
  })
  const gate = await openGate(t, server.port)
  let token = 0
  const client = open(t, gate.origin, {
    method: 'POST',
    headers: async () => ({ authorization: `Bearer ${++token}`, 'content-type': 'application/json' }),
    body: '{"of":"prices"}'
  })
  await client.becomes('open')
  const id = server.app.topics.publish('a', 1)
  await client.sees(1)
  gate.cut()
  await client.becomes('open', 2)
  server.app.topics.publish('a', 2)
  await client.sees(1, 2)
  t.match(asked, [
    { headers: { authorization: 'Bearer 1', accept: 'text/event-stream' }, body: { of: 'prices' } },
    { headers: { authorization: 'Bearer 2', 'last-event-id': id }, body: { of: 'prices' } }
  ])
})

await t.test('a refusal ends it for good, with the status and the body', async (t) => {
  const server = await start(t, (app) => {
    app.get('/:status', (request, reply) => reply.code(Number((request.params as { status: string }).status)).send('because'))
  })
  for (const status of [400, 401, 403, 404, 201]) {
    const client = openToIterate(t, `${server.origin}/${status}`)
    const detail = await client.becomes('closed')
    t.match(detail.error, { name: 'StreamError', code: 'PST_ERR_REFUSED', status, body: 'because' })
    t.equal(client.stream.error, detail.error)
    t.same(client.states, ['connecting', 'closed'])
    const events = client.stream[Symbol.asyncIterator]()
    await t.rejects(events.next(), detail.error as Error, 'who iterates gets it')
    t.same(await events.next(), { done: true, value: undefined }, 'once')
  }
})

await t.test('a refusal counts whose body has no end, stands still or breaks off', async (t) => {
  const server = await start(t, (app) => {
    app.get('/endless', (_request, reply) => reply.code(401).send(new Readable({ read () { this.push('x'.repeat(65_536)) } })))
    app.get('/slow', (_request, reply) => {
      const body = new Readable({ read () {} })
      body.push('x')
      return reply.code(401).send(body)
    })
    app.get('/broken', (_request, reply) => {
      reply.hijack()
      reply.raw.writeHead(401, { 'content-length': 10 })
      reply.raw.write('x', () => { reply.raw.destroy() })
    })
  })
  for (const [path, length] of [['endless', 65_536], ['slow', 1], ['broken', 1]] as const) {
    const { error } = await open(t, `${server.origin}/${path}`).becomes('closed')
    t.match(error, { code: 'PST_ERR_REFUSED', status: 401, body: 'x'.repeat(length) }, path)
  }
})

await t.test('204 says that there is no more, which is no error', async (t) => {
  const server = await start(t, (app) => { app.get('/', (_request, reply) => reply.code(204).send()) })
  const client = openToIterate(t, server.origin)
  for await (const event of client.stream) t.fail(event.event)
  t.same([client.states, client.stream.error], [['connecting', 'closed'], undefined])
})

await t.test('what is no event stream ends it for good', async (t) => {
  const server = await start(t, (app) => {
    app.get('/', () => ({ json: true }))
    app.get('/none', (_request, reply) => reply.send())
  })
  t.match((await openToIterate(t, server.origin).becomes('closed')).error, { code: 'PST_ERR_NO_STREAM', message: /application\/json/ })
  t.match((await openToIterate(t, `${server.origin}/none`).becomes('closed')).error, { code: 'PST_ERR_NO_STREAM', message: /no content type/ })
})

await t.test('what may pass is asked again, not before the time that the server says', async (t) => {
  const answers = [500, 502, 408, 425]
  const server = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      const status = answers.shift()
      if (status !== undefined) return reply.code(status).send()
      reply.event('at last')
    })
    app.get('/busy', (request, reply) => {
      const { status, after } = request.query as { status: string, after: string }
      return reply.code(Number(status)).header('retry-after', after).send()
    })
  })
  const client = open(t, server.origin)
  await client.sees('at last')
  t.same(client.details.flatMap(({ error }) => error instanceof StreamError ? [error.status] : []), [500, 502, 408, 425])
  const date = new Date(Date.now() + 60_000).toUTCString()
  for (const [status, after, least, most] of [[503, '7', 7_000, 7_005], [429, '0', 0, 5], [429, date, 50_000, 60_005], [500, '7', 0, 5], [503, 'soon', 0, 5]] as const) {
    const { delay = -1 } = await open(t, `${server.origin}/busy?status=${status}&after=${encodeURIComponent(after)}`).becomes('waiting')
    t.ok(delay >= least && delay <= most, `${status}, Retry-After: ${after}: ${delay} ms`)
  }
})

await t.test('a stream that the server ends properly is asked for again by GET, and is at its end by another method', async (t) => {
  let count = 0
  const server = await start(t, (app) => { app.stream('/', { method: ['GET', 'POST'] }, async function * () { yield count++ }) })
  const get = open(t, server.origin)
  await until(() => get.seen.length > 2)
  get.stream.close()
  count = 0
  const answer = []
  for await (const { data } of openToIterate(t, server.origin, { method: 'POST' }).stream) answer.push(data)
  t.same(answer, [0])
  const post = open(t, server.origin, { method: 'POST', reopen: true })
  await until(() => post.seen.length > 2)
  const once = open(t, server.origin, { reopen: false })
  t.same(await once.becomes('closed'), {})
})

await t.test('a body that can be read but once is not sent twice, one that a function makes is', async (t) => {
  const bodies: unknown[] = []
  const server = await start(t, (app) => {
    app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => { done(null, body) })
    app.stream('/', { method: 'POST' }, ({ body }, reply) => {
      bodies.push(body)
      reply.event(String(body))
    })
  })
  const gate = await openGate(t, server.port)
  const options = { method: 'POST', headers: { 'content-type': 'text/plain' } }
  const stream = () => Readable.toWeb(Readable.from([Buffer.from('once')])) as ReadableStream
  for (const body of [stream(), Readable.from([Buffer.from('once')]) as never]) {
    const once = open(t, gate.origin, { ...options, body })
    await once.sees('once')
    gate.cut()
    t.match((await once.becomes('closed')).error, { code: 'PST_ERR_BODY', cause: Error })
  }
  const anew = open(t, gate.origin, { ...options, body: stream })
  await anew.sees('once')
  gate.cut()
  await anew.sees('once', 'once')
  t.equal(bodies.length, 4)
})

await t.test('headers that fail are asked for again, and those that never come are given up', async (t) => {
  const server = await start(t, (app) => { app.stream('/', (_request, reply) => { reply.event('in') }) })
  const steps = [() => { throw new Error('no token') }, () => Promise.reject(new Error('no network')), () => new Promise<never>(() => {}), () => ({})]
  const client = open(t, server.origin, { heartbeatTimeout: 100, headers: () => (steps.length > 1 ? steps.shift() : steps[0])!() })
  await client.sees('in')
  t.match(client.details.filter(({ error }) => error !== undefined), [
    { error: { message: 'no token' } }, { error: { message: 'no network' } }, { error: { code: 'PST_ERR_SILENT' } }
  ])
})

await t.test('an address may be asked for at every attempt, and a client may start behind an id', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/:token', { topics: 'a', websocket: {} }, (request, reply) => { void reply.event(request.url) })
    app.stream('/ws/:token', { topics: 'a', websocket: { init: ({ url }, connection) => { connection.event(url) } } })
  })
  const position = server.app.topics.position
  server.app.topics.publish('a', 1)
  let token = 0
  const client = open(t, async () => `${server.origin}/${++token}`, { lastEventId: position })
  await until(() => client.seen.length === 2)
  t.same(client.seen, ['/1', 1])
  const socket = open(t, () => new URL(`${server.origin}/ws/${++token}?x=1#hash`), { ...overWebSocket, lastEventId: position })
  await until(() => socket.seen.length === 2)
  t.same(socket.seen, [1, `/ws/2?x=1&lastEventId=${encodeURIComponent(position)}`])
  const late = open(t, async () => {
    await new Promise(setImmediate)
    late.stream.close()
    return server.origin
  })
  await late.becomes('closed')
  t.same(late.states, ['connecting', 'closed'], 'which was closed in the meantime')
})

await t.test('an id that is not ASCII comes back as the bytes that it was', async (t) => {
  const ids: unknown[] = []
  const server = await start(t, (app) => {
    app.stream('/', (request, reply) => {
      ids.push(request.headers['last-event-id'] && Buffer.from(request.headers['last-event-id'] as string, 'latin1').toString())
      reply.event('x', { id: 'größer→' })
      reply.closeChunk()
    })
  })
  const client = open(t, server.origin)
  await until(() => ids.length === 2)
  client.stream.close()
  t.same(ids, [undefined, 'größer→'])
})

await t.test('topics are asked for in the address, by both transports', async (t) => {
  const server = await start(t, (app) => {
    app.stream<{ Querystring: { topic: string[], page: string } }>('/', { topics: ({ query }) => query.topic, websocket: {} }, ({ query }, { connection }) => { connection.event(query.page) })
  })
  const topics = ['a', 'b & c']
  const clients = [open(t, `${server.origin}/?page=1`, { topics }), open(t, `${server.origin}/?page=1`, { ...overWebSocket, topics })]
  await until(() => topics.every((topic) => server.app.topics.subscribers(topic) === 2))
  server.app.topics.publish('b & c', 'x')
  await clients[0]?.sees(1, 'x')
  await clients[1]?.sees('x')
})

await t.test('options that can\'t be had throw', async (t) => {
  const url = 'http://127.0.0.1/'
  for (const options of [
    { transport: 'websocket' as never }, { heartbeatTimeout: -1 }, { buffer: 0 }, { retry: -1 }, { retry: NaN },
    { retry: { delay: NaN } }, { retry: { maxDelay: NaN } }, { retry: { attempts: NaN } }, { ...overWebSocket, method: 'POST' },
    { ...overWebSocket, headers: {} }, { ...overWebSocket, body: 'x' }, { ...overWebSocket, credentials: 'include' as const }, { ...overWebSocket, fetch }
  ]) t.throws(() => connect(url, options), { code: 'PST_ERR_OPTION' }, Object.keys(options).join())
  t.throws(() => connect('/relative'), TypeError, 'there is no page here that it could be relative to')
  const known = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket')
  t.teardown(() => { if (known !== undefined) Object.defineProperty(globalThis, 'WebSocket', known) })
  Reflect.deleteProperty(globalThis, 'WebSocket')
  t.throws(() => connect(url, { transport: webSocket }), { code: 'PST_ERR_OPTION', message: /no global one/ })
})
