/** Handlers that return what their stream is fed from: generators for a chat, the answer of another server, whatever they have. */
import { createServer, type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { fetch as undiciFetch } from 'undici'
import { event } from '../../index.ts'
import { openStream } from '../../testing/index.ts'
import { build, CERTIFICATE, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const soon = async () => { await new Promise(setImmediate) }

/** A server that others fetch from, and its responses that are open. */
async function upstream (t: Test, answer: (response: ServerResponse, url: string) => void): Promise<{ origin: string, open: Set<ServerResponse> }> {
  const open = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    open.add(response)
    response.once('close', () => { open.delete(response) })
    answer(response, request.url as string)
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open }
}

const CHAT = { body: { type: 'object', required: ['prompt'], properties: { prompt: { type: 'string' }, times: { type: 'integer', default: 2 } } } }

interface Chat { Body: { prompt: string, times: number } }

t.test('a POST with a body and a generator', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.stream<Chat>('/chat', { method: 'POST', schema: CHAT }, async function * ({ body }) {
      for (let i = 0; i < body.times; i++) {
        yield event({ event: 'token', data: body.prompt + i })
        await soon()
      }
      yield 'done'
    })
  })
  for (const via of ['inject', 'port'] as const) {
    const stream = await openStream(app, { url: '/chat', body: { prompt: 'hallo' }, via })
    t.equal(stream.status, 200)
    const events = []
    for await (const { event, data } of stream) events.push([event, data])
    t.same(events, [['token', 'hallo0'], ['token', 'hallo1'], ['message', 'done']])
    t.equal(await stream.ended, 'complete')
  }
  const wrong = await app.inject({ method: 'POST', url: '/chat', payload: { no: 'prompt' } })
  t.equal(wrong.statusCode, 400, 'the body is checked before the generator runs')
  t.match(wrong.json(), { code: 'FST_ERR_VALIDATION' })
  const malformed = (await connect(t, port)).request('POST', '/chat', { 'Content-Type': 'application/json' }, '{')
  t.equal((await malformed.answer()).status, 400)
  const json = await app.inject({ method: 'POST', url: '/chat', payload: { prompt: 'x', times: 1 }, headers: { accept: 'application/json' } })
  t.same(json.json(), [{ event: 'token', data: 'x0' }, 'done'])
  t.same(noise(), [])
})

const PROTOCOLS: Record<string, { http2?: boolean, tls?: boolean }> = {
  'HTTP/1.1': {}, 'HTTP/1.1 over TLS': { tls: true }, 'HTTP/2': { http2: true }, 'HTTP/2 over TLS': { http2: true, tls: true }
}

/** Posts a body and resolves, when the first token came, with how to leave. */
async function post (t: Test, port: number, options: { http2?: boolean, tls?: boolean }, body: string): Promise<() => void> {
  const headers = { 'Content-Type': 'application/json' }
  if (options.http2 !== true) {
    const client = (await connect(t, port, { tls: options.tls === true })).request('POST', '/', headers, body)
    await client.until('token')
    return () => { client.reset() }
  }
  const session = http2.connect(`${options.tls === true ? 'https' : 'http'}://127.0.0.1:${port}`, { ca: CERTIFICATE.cert })
  t.teardown(() => { session.destroy() })
  const stream = session.request({ ':path': '/', ':method': 'POST', 'content-type': 'application/json' })
  let text = ''
  stream.on('data', (bytes: Buffer) => { text += bytes.toString() }).on('error', () => {}).end(body)
  await until(() => text.includes('token'))
  return () => { stream.close(http2.constants.NGHTTP2_CANCEL) }
}

for (const [protocol, options] of Object.entries(PROTOCOLS)) {
  t.test(`over ${protocol}, a client that aborts its POST stops the generator`, async (t) => {
    const waits: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
      'that waits for its next token': async (signal) => { await delay(60_000, null, { signal }) },
      'that always has one': soon
    }
    for (const [title, wait] of Object.entries(waits)) {
      let stopped = 0
      const { app, port, noise } = await start(t, (app) => {
        app.stream<Chat>('/', { method: 'POST', schema: CHAT }, async function * (_request, { connection: { signal } }) {
          try {
            for (;;) {
              yield 'token'
              await wait(signal)
            }
          } finally {
            stopped = performance.now()
          }
        })
      }, options)
      const witness = new Witness(app)
      const leave = await post(t, port, options, '{"prompt":"x"}')
      const left = performance.now()
      leave()
      await until(() => stopped !== 0)
      t.ok(stopped - left < 100, `${title}: after ${(stopped - left).toFixed(1)} ms`)
      await witness.sees(t, 'client')
      t.same(noise(), [])
    }
  })
}

t.test('a fetched Response is passed on: its status, its type, its bytes', async (t) => {
  const { origin } = await upstream(t, (response, url) => {
    if (url === '/sse') response.writeHead(201, { 'content-type': 'text/event-stream', 'x-secret': 'theirs', 'content-encoding': 'identity' })
    if (url === '/csv') response.writeHead(200, { 'content-type': 'text/csv; charset=latin1' })
    if (url === '/untyped') response.writeHead(200)
    if (url === '/404') response.writeHead(404, { 'content-type': 'text/html' })
    response.write('data: from ')
    setTimeout(() => { response.end('afar\n\n') }, 5)
  })
  const server = await start(t, (app) => {
    for (const [name, get] of Object.entries({ fetch, undici: undiciFetch })) {
      app.stream(`/${name}/*`, ({ url }) => get(origin + url.slice(name.length + 1)))
      app.stream(`/own/${name}/*`, async ({ url }, reply) => {
        reply.code(202).type('text/plain')
        return await get(origin + url.slice(name.length + 5))
      })
    }
  })
  for (const name of ['fetch', 'undici']) {
    const cases: Array<[path: string, accept: string, status: number, type: string]> = [
      [`/${name}/sse`, '*/*', 201, 'text/event-stream'],
      [`/${name}/sse`, 'application/json', 201, 'text/event-stream'],
      [`/${name}/sse`, 'text/html', 201, 'text/event-stream'],
      [`/${name}/csv`, 'text/event-stream', 200, 'text/csv; charset=latin1'],
      [`/${name}/404`, '*/*', 404, 'text/html; charset=utf-8'],
      [`/${name}/untyped`, '*/*', 200, 'text/event-stream; charset=utf-8'],
      [`/own/${name}/csv`, '*/*', 202, 'text/plain; charset=utf-8']
    ]
    for (const [path, accept, status, type] of cases) {
      const response = await (await connect(t, server.port)).get(path, { Accept: accept }).answer()
      t.equal(response.status, status, `${path} for ${accept}`)
      t.match(response.headers['content-type'], type.split(';')[0])
      t.equal(response.body.toString(), 'data: from afar\n\n')
      for (const header of ['x-secret', 'content-encoding']) t.notOk(header in response.headers, 'nothing else of its head')
      t.equal('vary' in response.headers, path.endsWith('untyped'), 'it is not for the client to choose what it is')
    }
    t.equal((await (await connect(t, server.port)).get(`/${name}/untyped`, { Accept: 'application/json' }).answer()).status, 406, 'bytes that may be anything')
    t.equal((await (await connect(t, server.port)).get(`/${name}/untyped`, { Accept: 'text/html' }).answer()).status, 406)
  }
  t.same(server.noise(), [])
})

t.test('the promise of a source may be anything that has a then, which need not answer with another promise', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', () => ({ then: (resolve: (source: string[]) => void) => { resolve(['a', 'b']) } }))
    app.stream('/failing', () => ({ then: (_resolve: unknown, reject: (error: Error) => void) => { reject(new Error('failing')) } }))
  })
  t.equal((await app.inject('/')).body, 'data: a\n\ndata: b\n\n')
  t.equal((await app.inject({ url: '/', headers: { accept: 'application/json' } })).body, '["a","b"]')
  t.match((await app.inject('/failing')).json(), { statusCode: 500, message: 'failing' })
})

t.test('a Response without a body', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.stream('/200', () => new Response())
    app.stream('/204', () => new Response(null, { status: 204 }))
    app.stream('/304', async () => new Response(null, { status: 304 }))
    app.stream('/500', () => new Response(null, { status: 500, headers: { 'content-type': 'text/plain' } }))
    app.stream('/502', () => new Response(null, { status: 502 }))
    app.stream('/error', () => Response.error())
  })
  const empty = await (await connect(t, port)).get('/200').answer()
  t.equal(empty.status, 200)
  t.equal(empty.body.toString(), ':\n\n')
  for (const status of [204, 304]) {
    const client = (await connect(t, port)).get(`/${status}`)
    t.equal((await client.head()).status, status)
    await client.get('/200').until(':\n\n')
  }
  const failed = await (await connect(t, port)).get('/500').answer()
  t.equal(failed.status, 500)
  t.equal(failed.body.toString(), '')
  t.same(noise(), [])
  const error = await (await connect(t, port)).get('/error').answer()
  t.equal(error.status, 500, 'one that is an error')
  t.match(JSON.parse(error.body.toString()), { code: 'FST_ERR_BAD_STATUS_CODE' })
  for (const [path, status] of [['/200', 200], ['/204', 204], ['/304', 304], ['/502', 502], ['/error', 500]] as const) {
    t.equal((await app.inject({ url: path, headers: { accept: 'application/json' } })).statusCode, status, `${path} for a client that can't stream`)
  }
  t.equal(app.connections.size, 0)
})

t.test('a client that leaves ends what was fetched for it', async (t) => {
  const { origin, open } = await upstream(t, (response) => { response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n') })
  const { port, app, noise } = await start(t, (app) => {
    app.stream('/fetch', () => fetch(origin))
    app.stream('/undici', () => undiciFetch(origin))
    app.stream('/with-signal', (_request, { connection: { signal } }) => fetch(origin, { signal }))
  })
  for (const path of ['/fetch', '/undici', '/with-signal']) {
    const client = (await connect(t, port)).get(path)
    await client.until('first')
    t.equal(open.size, 1)
    client.reset()
    await until(() => open.size === 0, path)
  }
  await until(() => app.connections.size === 0)
  t.same(noise(), [])
})

t.test('a fetch that fails', async (t) => {
  const { origin } = await upstream(t, (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
    setTimeout(() => { response.destroy() }, 10)
  })
  const { port, log, logged } = await start(t, (app) => {
    app.stream('/refused', () => fetch('http://127.0.0.1:1'))
    app.stream('/cut', () => fetch(origin))
  })
  const refused = await (await connect(t, port)).get('/refused').answer()
  t.equal(refused.status, 500)
  const { body } = await (await connect(t, port)).get('/cut').answer()
  t.equal(body.toString(), 'data: first\n\nevent: error\ndata: {"message":"Internal Server Error"}\n\n')
  await logged('stream closed')
  t.equal(log.filter(({ err }) => err !== undefined).length, 2)
})

const FORMS: Record<string, (request: FastifyRequest, reply: FastifyReply) => unknown> = {
  'an async generator function': async function * () { yield 'x' },
  'a generator function': function * () { yield 'x' },
  'a function': () => ['x'],
  'an async function': async () => ['x'],
  'a function of a promise': () => soon().then(() => Readable.from(['x'])),
  'a function that pipes': (_request, { connection }) => connection.pipe(['x']),
  'a function that pipes and returns nothing': (_request, { connection }) => { void connection.pipe(['x']) },
  'an async function that pipes': async (_request, { connection }) => { await connection.pipe(['x']) },
  'a function that pipes later': (_request, { connection }) => { setImmediate(() => { void connection.pipe(['x']) }) },
  'a function that pipes and returns the reply': (_request, reply) => {
    void reply.connection.pipe(['x'])
    return reply
  },
  'an async function that pipes and returns the reply': async (_request, reply) => {
    void reply.connection.pipe(['x'])
    return reply
  }
}

t.test('whatever the form of the handler, and however slow the hooks', async (t) => {
  const routes = (app: FastifyInstance) => {
    for (const [index, handler] of Object.values(FORMS).entries()) app.stream(`/${index}`, handler)
  }
  const plain = await start(t, routes)
  const slow = await start(t, (app) => {
    app.addHook('onSend', async () => { await delay(2) })
    routes(app)
  }, { before: (app) => app.addHook('onSend', async () => { await delay(2) }) })
  for (const { port, app, noise } of [plain, slow]) {
    for (const [index, title] of Object.keys(FORMS).entries()) {
      const { status, headers, body } = await (await connect(t, port)).get(`/${index}`).answer()
      t.equal(status, 200, title)
      t.match(headers, { 'content-type': 'text/event-stream; charset=utf-8' })
      t.match(body.toString(), /^(:\n\n)?data: x\n\n$/)
    }
    await until(() => app.connections.size === 0)
    t.equal(app.connections.counts.server, Object.keys(FORMS).length)
    t.same(noise(), [])
  }
})

t.test('a generator is bound to its instance, and gets what any handler gets', async (t) => {
  const { port } = await start(t, (app) => {
    app.decorate('greeting', 'hallo')
    app.stream<{ Params: { name: string } }>('/:name', async function * ({ params }, reply) {
      t.equal(reply.connection.route, '/:name')
      yield `${(this as unknown as { greeting: string }).greeting} ${params.name}`
    })
  })
  t.match((await (await connect(t, port)).get('/ada').answer()).body.toString(), 'data: hallo ada\n\n')
})

t.test('status and headers may be set until the first item', async (t) => {
  const { port } = await start(t, (app) => {
    app.stream('/', async function * (_request, reply) {
      reply.code(202).header('x-own', 'yes')
      await soon()
      reply.header('x-late', 'yes')
      yield 'x'
      await soon()
      reply.header('x-too-late', 'yes')
    })
  })
  const { status, headers } = await (await connect(t, port)).get('/').answer()
  t.equal(status, 202)
  t.match(headers, { 'x-own': 'yes', 'x-late': 'yes' })
  t.notOk('x-too-late' in headers)
})

t.test('limits hold for sources, and their places are free again', async (t) => {
  const { port, app } = await start(t, (app) => {
    app.stream('/', { maxConnections: 1 }, async function * (_request, { connection: { signal } }) {
      yield 'x'
      await delay(60_000, null, { signal })
    })
    app.stream('/failing', { maxConnections: 1 }, async function * () { throw new Error('broken') })
    app.stream('/json', { maxConnections: 1 }, () => ['x'])
  })
  const first = (await connect(t, port)).get('/')
  await first.until('data: x')
  t.equal((await (await connect(t, port)).get('/').answer()).status, 503)
  first.leave()
  await until(() => app.connections.size === 0)
  await (await connect(t, port)).get('/').until('data: x')
  for (let times = 0; times < 3; times++) {
    t.equal((await (await connect(t, port)).get('/failing').answer()).status, 500)
    t.equal((await (await connect(t, port)).get('/json', { Accept: 'application/json' }).answer()).status, 200)
    t.equal((await (await connect(t, port)).get('/json', { Accept: 'text/html' }).answer()).status, 406)
  }
})
