/** A source that fails: before its first item an ordinary error, later an event `error` and the end; logged once. */
import http2 from 'node:http2'
import { PassThrough, Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { type AnySource, event, type PastelliOptions, type StreamOptions } from '../../index.ts'
import { type LogLine, type Server, start } from '../support/server.ts'
import { connect, type RawResponse } from '../support/socket.ts'
import { until } from '../support/until.ts'

interface Observer { next: (item: unknown) => void, error: (error: unknown) => void }

const HIDDEN = '{"message":"Internal Server Error"}'
const FAILED = 'the source of a stream failed'
const JSON_TYPE = 'application/json; charset=utf-8'

const broken = () => Object.assign(new Error('secret: no database'), { statusCode: 418 })
const soon = async () => { await new Promise(setImmediate) }

// Each fails behind these items.
const FAILING: Record<string, (items: string[]) => unknown> = {
  'a generator': function * (items) {
    yield * items
    throw broken()
  },
  'an async generator': async function * (items) {
    for (const item of items) {
      await soon()
      yield item
    }
    await soon()
    throw broken()
  },
  'an iterator whose next throws': (items) => {
    const left = [...items]
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          if (left.length === 0) throw broken()
          return { done: false, value: left.shift() }
        }
      })
    }
  },
  'a generator of promises': function * (items) {
    yield * items
    yield Promise.reject(broken())
  },
  'a Readable': (items) => Readable.from(FAILING['an async generator']!(items) as AsyncIterable<string>),
  'a Readable that is destroyed': (items) => {
    const stream = new PassThrough({ objectMode: true })
    for (const item of items) stream.write(item)
    setTimeout(() => { stream.destroy(broken()) }, 5)
    return stream
  },
  'a web stream': (items) => {
    const left = [...items]
    return new ReadableStream({
      async pull (controller) {
        await soon()
        if (left.length === 0) controller.error(broken())
        else controller.enqueue(left.shift())
      }
    }, { highWaterMark: 0 })
  },
  'an observable': (items) => ({
    subscribe: (observer: Observer) => {
      for (const item of items) observer.next(item)
      setImmediate(() => { observer.error(broken()) })
      return () => {}
    }
  }),
  'an observable that fails while it is subscribed to': (items) => ({
    subscribe: (observer: Observer) => {
      for (const item of items) observer.next(item)
      throw broken()
    }
  })
}

const failures = (log: LogLine[]) => log.filter(({ err }) => err !== undefined)

/** Asks once, and waits until what was logged of it is. */
async function ask (t: Test, { port, logged }: Server, path = '/', headers: Record<string, string> = {}): Promise<RawResponse> {
  const client = (await connect(t, port)).get(path, headers)
  const response = await client.answer()
  await logged('request completed')
  return response
}

for (const [title, make] of Object.entries(FAILING)) {
  for (const way of ['returned', 'piped']) {
    t.test(`${title} that is ${way} and fails before its first item is an ordinary error`, async (t) => {
      const handler = (_request: FastifyRequest, { connection }: FastifyReply) => way === 'piped' ? connection.pipe(make([]) as AnySource) : make([])
      for (const isHandled of [false, true]) {
        const server = await start(t, (app) => {
          if (isHandled) app.setErrorHandler((error, _request, reply) => reply.code(409).send({ seen: (error as Error).message }))
          app.stream('/', handler)
        })
        const { status, headers, body } = await ask(t, server)
        t.equal(status, isHandled ? 409 : 418)
        t.match(JSON.parse(body.toString()), isHandled ? { seen: 'secret: no database' } : { statusCode: 418, message: 'secret: no database' })
        t.equal(headers['content-type'], JSON_TYPE)
        for (const name of ['cache-control', 'x-accel-buffering', 'vary']) t.notOk(name in headers, `no ${name} of a stream`)
        t.equal(failures(server.log).length, isHandled ? 0 : 1, 'logged by Fastify, unless the app takes care of it')
        t.equal(server.app.connections.counts.error, 0, 'no stream was opened')
      }
    })
  }

  t.test(`${title} that fails later`, async (t) => {
    const server = await start(t, (app) => { app.stream('/', () => make(['one', 'two'])) })
    const { status, body, complete } = await ask(t, server)
    t.equal(status, 200)
    t.equal(body.toString(), `data: one\n\ndata: two\n\nevent: error\ndata: ${HIDDEN}\n\n`)
    t.ok(complete, 'the stream is ended properly')
    t.equal(server.app.connections.counts.error, 1)
    t.match(failures(server.log), [{ level: 50, msg: FAILED, err: { message: 'secret: no database' } }])
    t.match((await server.logged('stream closed')), { reason: 'error', events: 3 })
  })
}

t.test('a Response whose body fails before its first byte leaves nothing of its head on the error', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', () => new Response(FAILING['a web stream']!([]) as ReadableStream, { status: 404, headers: { 'content-type': 'text/csv' } }))
    app.stream('/plain', () => new Response(new ReadableStream({ pull () { throw new Error('no status') } }), { status: 404, headers: { 'content-type': 'text/csv' } }))
  })
  const { status, headers } = await ask(t, server)
  t.equal(status, 418)
  t.equal(headers['content-type'], JSON_TYPE)
  t.equal((await ask(t, server, '/plain')).status, 500)
})

t.test('a source that was read from before is an ordinary error too', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', async () => {
      const response = new Response('x')
      await response.text()
      return response
    })
  })
  t.equal((await ask(t, server)).status, 500)
  t.equal(failures(server.log).length, 1)
})

t.test('what is piped behind an open stream fails later, even before its first item', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', async (_request, { connection }) => {
      await connection.event('open')
      await soon()
      t.equal(await connection.pipe(FAILING['an async generator']!([]) as AnySource), false)
    })
  })
  const { body } = await ask(t, server)
  t.equal(body.toString(), `data: open\n\nevent: error\ndata: ${HIDDEN}\n\n`)
  t.equal(failures(server.log).length, 1)
})

t.test('so does a generator that had sent something by hand', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', async function * (_request, reply) {
      await reply.event('by hand')
      await soon()
      throw broken()
    })
  })
  const { body } = await ask(t, server)
  t.equal(body.toString(), `data: by hand\n\nevent: error\ndata: ${HIDDEN}\n\n`)
  t.match(failures(server.log), [{ msg: FAILED }])
})

t.test('a promise of a source that rejects, or gives none', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/before', (_request, { connection }) => connection.pipe(Promise.reject(broken())))
    app.stream('/none', (_request, { connection }) => connection.pipe(Promise.resolve('text') as never))
    app.stream('/later', async (_request, { connection }) => {
      await connection.event('open')
      await soon()
      t.equal(await connection.pipe(Promise.reject(broken())), false)
    })
  })
  t.equal((await ask(t, server, '/before')).status, 418)
  const none = await ask(t, server, '/none')
  t.equal(none.status, 500)
  t.match(JSON.parse(none.body.toString()), { code: 'PST_ERR_ARGUMENT' })
  t.equal((await ask(t, server, '/later')).body.toString(), `data: open\n\nevent: error\ndata: ${HIDDEN}\n\n`)
})

async function fails (t: Test, own: StreamOptions, headers: Record<string, string> = {}, options: PastelliOptions = {}): Promise<{ body: string, log: LogLine[] }> {
  const server = await start(t, (app) => { app.stream('/', own, () => FAILING['an async generator']!(['one'])) }, { pastelli: options })
  const { body } = await ask(t, server, '/', headers)
  return { body: body.toString().replace('data: one\n\n', ''), log: failures(server.log) }
}

t.test('errorData shapes what the client is told', async (t) => {
  const errorData = (error: unknown) => ({ why: (error as Error).message })
  const shaped = 'event: error\ndata: {"why":"secret: no database"}\n\n'
  t.equal((await fails(t, {}, {}, { errorData })).body, shaped, 'of the app')
  t.equal((await fails(t, { errorData }, {}, { errorData: () => 'not this' })).body, shaped, 'of the route')
  t.equal((await fails(t, { errorData: () => 'two\nlines' })).body, 'event: error\ndata: two\ndata: lines\n\n')
  t.equal((await fails(t, { errorData: () => null })).body, 'event: error\ndata: null\n\n')
})

t.test('errorData that fails tells no more than by default', async (t) => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const hooks: Record<string, (error: unknown) => unknown> = {
    'it throws': () => { throw new Error('the hook') },
    'it answers nothing': () => undefined,
    'it answers a function': () => () => {},
    'it answers a BigInt': () => ({ n: 1n }),
    'it answers a cycle': () => cycle,
    'it answers half a surrogate pair': () => '\ud83c',
    'it is async': async () => ({ message: 'too late' }),
    'it is async, and rejects': async () => { throw new Error('the hook') }
  }
  for (const [title, errorData] of Object.entries(hooks)) {
    const { body, log } = await fails(t, { errorData })
    t.equal(body, `event: error\ndata: ${HIDDEN}\n\n`, title)
    t.same(log.map(({ msg }) => msg), [FAILED, 'what a client shall be told of a failure can\'t be sent'], 'both are logged')
  }
})

t.test('the event is one of the format', async (t) => {
  const { body } = await fails(t, {}, { accept: 'application/x-ndjson' })
  t.equal(body, `"one"\n{"event":"error","data":${HIDDEN}}\n`)
  const custom = { type: 'text/x-own', encode: ({ data, event }: { data: unknown, event: string | undefined }) => `<${event}|${JSON.stringify(data)}>` }
  t.equal((await fails(t, { formats: [custom] })).body, `<undefined|"one"><error|${HIDDEN}>`)
})

t.test('one who waits for JSON gets an error response', async (t) => {
  const server = await start(t, (app) => { app.stream('/', () => FAILING['an async generator']!(['one', 'two'])) })
  const { status, headers, body } = await ask(t, server, '/', { accept: 'application/json' })
  t.equal(status, 418)
  t.equal(headers['content-type'], JSON_TYPE)
  t.match(JSON.parse(body.toString()), { message: 'secret: no database' })
  t.equal(failures(server.log).length, 1)
})

/** That the client can tell that this is not the whole. */
async function cut (t: Test, setup: (app: FastifyInstance) => unknown, received: string, headers: Record<string, string> = {}): Promise<void> {
  const { app, port, log, logged } = await start(t, setup)
  const client = (await connect(t, port)).get('/', headers)
  await client.ended()
  t.equal(client.response.body.toString(), received)
  t.notOk(client.response.complete, 'it is cut')
  await until(() => app.connections.counts.error === 1, 'the stream closed with error')
  await logged('stream closed')
  t.equal(failures(log)[0]?.msg, FAILED)
}

t.test('a format without types is cut instead', async (t) => {
  await cut(t, (app) => { app.stream('/', () => FAILING['an async generator']!(['one', 'two'])) }, 'onetwo', { accept: 'text/plain' })
})

t.test('so it is in the middle of a block', async (t) => {
  const half = (...pieces: string[]) => async function * () {
    for (const piece of pieces) {
      yield Buffer.from(piece)
      await soon()
    }
    throw broken()
  }
  await cut(t, (app) => { app.stream('/', half('data: ha', 'lf\n')) }, 'data: half\n')
  await cut(t, (app) => { app.stream('/', half('{"half":')) }, '{"half":', { accept: 'application/x-ndjson' })
  const { body, complete } = await ask(t, await start(t, (app) => { app.stream('/', half('data: whole\n', '\n')) }))
  t.equal(body.toString(), `data: whole\n\nevent: error\ndata: ${HIDDEN}\n\n`, 'but not between two')
  t.ok(complete)
})

t.test('so it is where the format can\'t say it', async (t) => {
  const encode = ({ data }: { data: unknown }) => {
    if (typeof data !== 'string') throw new Error('only text')
    return data
  }
  const formats = [{ type: 'text/x-own', encode }]
  await cut(t, (app) => { app.stream('/', { formats }, () => FAILING['an async generator']!(['one'])) }, 'one')
  const items = (async function * () {
    yield 'one'
    await soon()
    yield { no: 'text' }
  })()
  await cut(t, (app) => { app.stream('/', { formats }, () => items) }, 'one')
})

t.test('so it is where the response has another content type', async (t) => {
  await cut(t, (app) => {
    app.stream('/', async function * (_request, reply) {
      reply.type('text/csv')
      yield Buffer.from('a;b')
      await soon()
      throw broken()
    })
  }, 'a;b')
})

t.test('over HTTP/2 a cut stream is reset', async (t) => {
  const { origin } = await start(t, (app) => { app.stream('/', () => FAILING['an async generator']!(['one'])) }, { http2: true })
  const session = http2.connect(origin)
  t.teardown(() => { session.destroy() })
  const ask = async (headers: http2.OutgoingHttpHeaders) => {
    const stream = session.request({ ':path': '/', ...headers }).setEncoding('utf8')
    let text = ''
    stream.on('data', (piece: string) => { text += piece }).on('error', () => {})
    await until(() => stream.destroyed)
    return { text, rstCode: stream.rstCode }
  }
  t.same(await ask({}), { text: `data: one\n\nevent: error\ndata: ${HIDDEN}\n\n`, rstCode: http2.constants.NGHTTP2_NO_ERROR })
  t.same(await ask({ accept: 'text/plain' }), { text: 'one', rstCode: http2.constants.NGHTTP2_INTERNAL_ERROR })
})

t.test('the error comes behind everything that was sent, also by others', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', async function * (_request, { connection }) {
      yield 'one'
      connection.event('by hand')
      yield event({ id: 7 })
      throw broken()
    })
  })
  const { body } = await ask(t, server)
  t.equal(body.toString(), `data: one\n\ndata: by hand\n\nid: 7\n\nevent: error\ndata: ${HIDDEN}\n\n`)
})

/** Lets the longest wait of a source for its first item be over when the test says so. */
function hurry (t: Test): () => void {
  const { setTimeout: real } = globalThis
  let over: (() => void) | null = null
  globalThis.setTimeout = ((run: () => void, ms?: number, ...rest: []) => {
    if (ms !== 5_000) return real(run, ms, ...rest)
    over = run
    return real(() => {}, 0)
  }) as typeof setTimeout
  t.teardown(() => { globalThis.setTimeout = real })
  return () => { over?.() }
}

t.test('a source whose first item takes long gets its stream opened before it', async (t) => {
  const now = hurry(t)
  let give: (item: string) => void = () => {}
  let fail: (error: unknown) => void = () => {}
  const server = await start(t, (app) => {
    app.stream('/', async function * () {
      yield await new Promise<string>((resolve, reject) => {
        give = resolve
        fail = reject
      })
    })
  })
  const { port } = server
  const patient = (await connect(t, port)).get('/')
  await until(() => server.lines('incoming request').length === 1)
  await soon()
  t.equal(patient.text, '', 'nothing was sent yet')
  now()
  await patient.until(':\n\n')
  give('late')
  t.equal((await patient.answer()).body.toString(), ':\n\ndata: late\n\n')

  const unlucky = (await connect(t, port)).get('/')
  await until(() => server.lines('incoming request').length === 2)
  await soon()
  now()
  await unlucky.until(':\n\n')
  fail(broken())
  t.equal((await unlucky.answer()).body.toString(), `:\n\nevent: error\ndata: ${HIDDEN}\n\n`)
})

t.test('a source that fails and that nobody waits for ends what it feeds, and no process', async (t) => {
  const piping = (reply: FastifyReply) => { void reply.connection.pipe(FAILING['a generator']!([]) as AnySource) }
  const { origin, app, lines } = await start(t, (app) => {
    app.stream('/stream', (_request, reply) => { piping(reply) })
    app.stream('/async', async (_request, reply) => { piping(reply) })
    app.get('/ordinary', (_request, reply) => { piping(reply) })
    app.get('/later', (_request, reply) => { setImmediate(piping, reply) })
    app.stream('/hooks', { onSend: async (_request, _reply, payload) => { await soon(); return payload } }, (_request, reply) => {
      void reply.connection.pipe((FAILING['an async generator'] as (items: string[]) => AnySource)(['one']))
    })
  })
  for (const path of ['/ordinary', '/later']) {
    const response = await fetch(origin + path)
    t.equal(response.status, 418, path)
    t.match(await response.json(), { message: 'secret: no database' }, path)
  }
  for (const path of ['/stream', '/async']) {
    t.equal(await (await fetch(origin + path)).text(), `:\n\nevent: error\ndata: ${HIDDEN}\n\n`, `${path} had opened when its handler had nothing more to do`)
  }
  const late = await fetch(`${origin}/hooks`)
  t.equal(late.status, 200)
  t.equal(await late.text(), `data: one\n\nevent: error\ndata: ${HIDDEN}\n\n`)
  t.equal(lines(FAILED).length, 3)
  t.equal(app.connections.counts.error, 3)
})
