/** What is published reaches every client in its own format, with its ids, its gaps and its signs of life. */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { type CustomFormat, event, type FormatEvent, memoryLog, type PastelliOptions } from '../../index.ts'
import { type Server, start } from '../support/server.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { until } from '../support/until.ts'

const NDJSON = { Accept: 'application/x-ndjson' }
const TEXT = { Accept: 'text/plain' }
const OWN = { Accept: 'text/x-own' }

const show = ({ event, id, data }: FormatEvent) => `<${event ?? ''}|${id ?? ''}|${JSON.stringify(data)}>`
const own: CustomFormat = { type: 'text/x-own', encode: show }

const news = (options: PastelliOptions = {}) => async (t: Test) => await start(t, (app) => {
  app.stream('/', { topics: 'news' })
}, { pastelli: { ...options, formats: ['event-stream', 'ndjson', 'text', own] } })

/** A client that is subscribed. */
async function subscribe (t: Test, { app, port }: Server, headers: Record<string, string>): Promise<RawClient> {
  const before = app.connections.size
  const client = (await connect(t, port)).get('/', headers)
  await until(() => app.connections.size === before + 1, 'it is subscribed')
  return client
}

const body = (client: RawClient) => client.response.body.toString()

/** What was published, as these clients have it. */
function expected (ids: Array<string | Promise<string>>): Record<string, string> {
  const [first, second, third] = ids as string[]
  return {
    'application/x-ndjson': `{"id":"${first}","data":"one\\ntwo"}\n{"event":"named","id":"${second}","data":{"a":1}}\n{"id":"${third}","data":null}\n`,
    'text/plain': 'one\ntwo{"a":1}\nnull\n',
    'text/x-own': `<|${first}|"one\\ntwo"><named|${second}|{"a":1}><|${third}|null>`
  }
}

const publishAll = ({ topics }: FastifyInstance) => [
  topics.publish('news', 'one\ntwo'),
  topics.publish('news', { a: 1 }, { event: 'named', retry: 7 }),
  topics.publish('news', null)
]

t.test('live, each has it as its format has it', async (t) => {
  const server = await news()(t)
  const clients = await Promise.all([NDJSON, TEXT, OWN].map(async ({ Accept }) => ({ Accept, client: (await connect(t, server.port)).get('/', { Accept }) })))
  await until(() => server.app.topics.subscribers('news') === 3 && server.app.connections.size === 3)
  await Promise.all(clients.map(async ({ client }) => await client.head()))
  for (const { client } of clients) t.equal(body(client), '', 'nothing tells the position where there is no way to say it')
  const wanted = expected(publishAll(server.app))
  for (const { Accept, client } of clients) {
    await until(() => body(client).length >= (wanted[Accept] as string).length)
    t.equal(body(client), wanted[Accept])
  }
  t.same(server.noise(), [])
})

t.test('what was missed is replayed behind an id, in every format', async (t) => {
  const server = await news()(t)
  const position = server.app.topics.position
  const wanted = expected(publishAll(server.app))
  for (const [accept, text] of Object.entries(wanted)) {
    const client = await subscribe(t, server, { Accept: accept, 'Last-Event-ID': position })
    await until(() => body(client).length >= text.length)
    t.equal(body(client), text, accept)
  }
})

t.test('an id that a client has of one format resumes in another', async (t) => {
  const server = await news()(t)
  const ids = publishAll(server.app) as string[]
  const client = await subscribe(t, server, { ...NDJSON, 'Last-Event-ID': ids[0] as string })
  await client.until('"data":null}\n')
  const { id } = JSON.parse(body(client).split('\n')[0] as string) as { id: string }
  t.equal(id, ids[1])
  const other = await subscribe(t, server, { 'Last-Event-ID': id })
  await other.until(`id: ${ids[2]}\ndata: null\n\n`)
  t.notMatch(body(other), 'named')
})

t.test('a gap is told in every format', async (t) => {
  const server = await news({ log: memoryLog({ events: 1 }) })(t)
  const first = server.app.topics.publish('news', 'gone')
  server.app.topics.publish('news', 'gone as well')
  const to = server.app.topics.publish('news', 'kept')
  const gap = (reason: string, from: string | null) => JSON.stringify({ reason, from, to })
  const cases: Array<[lastEventId: string, reason: string, from: string | null]> = [
    [first as string, 'trimmed', first as string], ['other:7', 'foreign', 'other:7'], ['nonsense', 'malformed', null]
  ]
  for (const [lastEventId, reason, from] of cases) {
    const data = gap(reason, from)
    const wanted: Array<[headers: Record<string, string>, text: string]> = [
      [NDJSON, `{"event":"gap","id":"${to}","data":${data}}\n`], [TEXT, `${data}\n`], [OWN, `<gap|${to}|${data}>`]
    ]
    for (const [headers, text] of wanted) {
      const client = await subscribe(t, server, { ...headers, 'Last-Event-ID': lastEventId })
      await client.until(text.trimEnd())
      t.equal(body(client), text, `${reason} in ${headers['Accept']}`)
    }
  }
})

t.test('a heartbeat is sent where the format has one', async (t) => {
  const quiet = await news({ heartbeat: 20 })(t)
  const clients = { stream: await subscribe(t, quiet, {}), ndjson: await subscribe(t, quiet, NDJSON), text: await subscribe(t, quiet, TEXT), own: await subscribe(t, quiet, OWN) }
  await clients.stream.until(': heartbeat\n')
  t.same([clients.ndjson, clients.text, clients.own].map(body), ['', '', ''], 'a comment has no form in the others')

  const visible = await news({ heartbeat: 20, heartbeatEvent: 'beat' })(t)
  const { position } = visible.app.topics
  const [ndjson, text, custom] = [await subscribe(t, visible, NDJSON), await subscribe(t, visible, TEXT), await subscribe(t, visible, OWN)]
  await ndjson.until(`{"event":"beat","id":"${position}","data":""}\n`)
  await custom.until(`<beat|${position}|"">`)
  t.equal(body(text), '')
})

t.test('an app may say of a published event nothing at all in its own format', async (t) => {
  const quiet: CustomFormat = { type: 'text/x-quiet', encode: (event) => event.event === 'named' ? show(event) : '' }
  const server = await start(t, (app) => { app.stream('/', { topics: 'news', formats: [quiet] }) })
  const client = await subscribe(t, server, {})
  const [, id] = publishAll(server.app)
  await client.until('|{"a":1}>')
  t.equal(body(client), `<named|${id as string}|{"a":1}>`)
})

t.test('a topic and a source on one connection come in one format', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'news' }, async function * (_request, { connection }) {
      yield 'from the source'
      await once(connection.signal, 'abort').catch(() => {})
    })
  })
  const client = (await connect(t, server.port)).get('/', NDJSON)
  await client.until('"from the source"\n')
  const id = server.app.topics.publish('news', 'from the topic')
  await client.until('from the topic')
  t.equal(body(client), `"from the source"\n{"id":"${id as string}","data":"from the topic"}\n`)
})

t.test('a source has no ids of its own where they are positions', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'news' }, (_request, reply) => {
      t.throws(() => reply.event('x', { id: 1 }), { code: 'PST_ERR_ID' })
      t.throws(() => reply.event(event({ data: 'x', id: 1 })), { code: 'PST_ERR_ID' })
    })
    app.stream('/source', { topics: 'news' }, () => [event({ data: 'x', id: 1 })])
  })
  await subscribe(t, server, NDJSON)
  t.equal((await (await connect(t, server.port)).get('/source', NDJSON).answer()).status, 500)
})

/** Fails at what it is told to. */
const failing = (fails: (event: FormatEvent) => boolean): CustomFormat => ({
  type: 'text/x-own',
  encode: (event) => {
    if (fails(event)) throw new Error('no form for it')
    return show(event)
  }
})

t.test('a format that fails ends the stream with error, and nothing else', async (t) => {
  const failures: Record<string, [fails: (event: FormatEvent) => boolean, options: PastelliOptions, headers: Record<string, string>]> = {
    'at what is published': [({ data }) => data === 'one\ntwo', {}, {}],
    'at what is replayed': [({ data }) => data === 'one\ntwo', {}, { 'Last-Event-ID': 'replay' }],
    'at a gap': [({ event }) => event === 'gap', {}, { 'Last-Event-ID': 'nonsense' }],
    'at a heartbeat': [({ event }) => event === 'beat', { heartbeat: 20, heartbeatEvent: 'beat' }, {}]
  }
  for (const [title, [fails, options, headers]] of Object.entries(failures)) {
    t.test(title, async (t) => {
      const server = await start(t, (app) => {
        app.stream('/', { topics: 'news', formats: [failing(fails)] })
        app.stream('/sound', { topics: 'news' })
      }, { pastelli: options })
      const { position } = server.app.topics
      const sound = (await connect(t, server.port)).get('/sound')
      await until(() => server.app.connections.size === 1)
      if (headers['Last-Event-ID'] === 'replay') publishAll(server.app)
      const client = (await connect(t, server.port)).get('/', headers['Last-Event-ID'] === 'replay' ? { 'Last-Event-ID': position } : headers)
      await client.head().catch(() => {})
      if (title === 'at what is published') publishAll(server.app)
      await client.ended()
      t.notOk(client.response.complete, 'it is cut')
      await until(() => server.app.connections.counts.error === 1)
      t.equal(server.log.filter(({ err }) => err !== undefined).length, 1, 'it is logged, once')
      server.app.topics.publish('news', 'last')
      await sound.until('data: last\n\n')
    })
  }
})

t.test('a format that fails at the gap of a client that is too slow', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'news', overflow: 'skip', formats: [failing(({ event }) => event === 'gap')] })
  }, { pastelli: { log: memoryLog({ events: 10 }) } })
  const client = await subscribe(t, server, {})
  client.pause()
  const [connection] = [...server.app.connections]
  for (let stuck = 0; stuck < 20;) {
    server.app.topics.publish('news', 'x'.repeat(50_000))
    await delay(1)
    stuck = connection!.queued === 0 ? 0 : stuck + 1
  }
  client.resume()
  await until(() => server.app.connections.counts.error === 1, 'it is cut')
  t.equal(server.log.filter(({ err }) => err !== undefined).length, 1)
})
