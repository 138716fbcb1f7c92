/** What a source may give: payloads, events made by `event()`, and bytes; and what it may not. */
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { event } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'

const HIDDEN = 'event: error\ndata: {"message":"Internal Server Error"}\n\n'

const soon = async () => { await new Promise(setImmediate) }

async function body (t: Test, port: number, path: string, accept = 'text/event-stream'): Promise<{ status: number, text: string }> {
  const { status, body } = await (await connect(t, port)).get(path, { Accept: accept }).answer()
  return { status, text: body.toString() }
}

t.test('payloads, events and bytes come out in their order', async (t) => {
  const { port, logged } = await start(t, (app) => {
    app.stream('/', async function * () {
      yield 'text'
      yield event({ event: 'named', data: 1, id: 1 })
      yield Buffer.from(': bytes\n\n')
      await soon()
      yield new Uint8Array()
      yield { event: 'plain data', data: 1 }
      yield Buffer.from('data: in two ')
      await soon()
      yield new TextEncoder().encode('pieces\n\n')
      yield event({ comment: 'aside' })
      yield null
      yield 0
      yield false
      yield ''
    })
  })
  t.equal((await body(t, port, '/')).text, 'data: text\n\nevent: named\nid: 1\ndata: 1\n\n: bytes\n\ndata: {"event":"plain data","data":1}\n\n' +
    'data: in two pieces\n\n: aside\n\ndata: null\n\ndata: 0\n\ndata: false\n\ndata: \n\n')
  t.equal((await logged('stream closed'))['events'], 8, 'bytes are no events')
})

t.test('bytes go out verbatim in every format', async (t) => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const { port } = await start(t, (app) => { app.stream('/', () => [every, Buffer.concat(Array(1_000).fill(every))]) })
  for (const accept of ['text/event-stream', 'application/x-ndjson', 'text/plain']) {
    const { body } = await (await connect(t, port)).get('/', { Accept: accept }).answer()
    t.ok(body.equals(Buffer.concat(Array(1_001).fill(every))), accept)
  }
  t.equal((await body(t, port, '/', 'application/json')).status, 406, 'they have no form in JSON')
})

const BAD: Record<string, unknown> = {
  undefined,
  'a function': () => 'x',
  'a symbol': Symbol('s'),
  'a BigInt': 1n,
  'half a surrogate pair': '\ud83c',
  'a bad field': event({ data: 'x', event: 'a\nb' }),
  'a bad id': event({ data: 'x', id: '\0' }),
  'a bad delay': event({ retry: -1 }),
  'bad data of an event': event({ data: () => 'x' }),
  'a bad comment': event({ comment: 7 as never }),
  'an event in an event': event({ data: event({ data: 'x' }) })
}

for (const [title, bad] of Object.entries(BAD)) {
  t.test(`${title} is refused: before the first item with an ordinary error, later with an event`, async (t) => {
    let ended = 0
    const routes = (app: FastifyInstance) => {
      app.stream('/first', async function * () {
        try {
          yield bad
          t.fail('it went on')
        } finally {
          ended++
        }
      })
      app.stream('/later', async function * () {
        try {
          yield 'one'
          await soon()
          yield bad
          t.fail('it went on')
        } finally {
          ended++
        }
      })
      app.stream('/sync', () => ['one', bad, 'never'])
    }
    const { app, port, log } = await start(t, routes)
    for (const accept of ['text/event-stream', 'application/x-ndjson', 'text/plain', 'application/json']) {
      const { status, text } = await body(t, port, '/first', accept)
      t.equal(status, 500, accept)
      t.match(JSON.parse(text), { statusCode: 500, code: /^PST_ERR_(DATA|FIELD)$/ })
    }
    t.same(await body(t, port, '/later'), { status: 200, text: `data: one\n\n${HIDDEN}` })
    t.same(await body(t, port, '/sync'), { status: 200, text: `data: one\n\n${HIDDEN}` })
    t.equal(ended, 5, 'the generator is brought to its end')
    t.equal(app.connections.counts.error, 2)
    t.match(log.filter(({ err }) => err !== undefined).map(({ err }) => err?.code), Array(6).fill(/^PST_ERR_(DATA|FIELD)$/), 'each is logged once')
  })
}

t.test('an event has its own fields: options beside it are refused', async (t) => {
  const { port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      t.throws(() => reply.event(event({ data: 'x' }), { id: 1 }), { code: 'PST_ERR_ARGUMENT', message: /no options beside an event made by event\(\)/ })
      t.throws(() => reply.initChunk(event({ data: 'x' }), {}), { code: 'PST_ERR_ARGUMENT' })
      reply.initChunk(event({ data: 'first', id: 1 }))
      reply.event(event({ event: 'second' }), null)
      reply.closeChunk()
    })
  })
  t.equal((await body(t, port, '/')).text, 'id: 1\ndata: first\n\nevent: second\ndata: \n\n')
})

t.test('an event is not published: a topic has data', async (t) => {
  await start(t, (app) => {
    t.throws(() => app.topics.publish('news', event({ data: 'x' }) as never), { code: 'PST_ERR_DATA', message: /made by event\(\)/ })
  })
})
