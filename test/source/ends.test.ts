/** The stream ends when its source ends: properly, over every protocol. */
import http2 from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, RouteHandlerMethod } from 'fastify'
import t, { type Test } from 'tap'
import { CERTIFICATE, start } from '../support/server.ts'
import { connect, type RawResponse } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const soon = async () => { await new Promise(setImmediate) }

const SOURCES: Record<string, [make: () => unknown, body: string]> = {
  'a source of one tick': [() => ['one', 'two'], 'data: one\n\ndata: two\n\n'],
  'a source that takes its time': [async function * () {
    yield 'one'
    await delay(5)
    yield 'two'
  }, 'data: one\n\ndata: two\n\n'],
  'an empty source': [() => [], ':\n\n'],
  'an empty source that takes its time': [async function * () { await delay(5) }, ':\n\n'],
  'one large item': [() => ['x'.repeat(3_000_000)], `data: ${'x'.repeat(3_000_000)}\n\n`],
  'a Response without a body': [() => new Response(null), ':\n\n']
}

const routes = (app: FastifyInstance) => {
  for (const [index, [make]] of Object.values(SOURCES).entries()) app.stream(`/${index}`, () => make())
}

for (const tls of [false, true]) {
  const over = tls ? ' over TLS' : ''

  t.test(`HTTP/1.1${over}: behind the end the connection is free for the next request`, async (t) => {
    const { app, port, noise } = await start(t, routes, { tls })
    const witness = new Witness(app)
    for (const [index, [title, [, body]]] of Object.entries(SOURCES).entries()) {
      const client = (await connect(t, port, { tls })).get(`/${index}`)
      const response = await client.answer()
      t.equal(response.status, 200, title)
      t.ok(response.body.toString() === body, 'all of it')
      t.equal(response.rest.length, 0)
      await client.get('/0').until('two\n\n\r\n0\r\n\r\n')
    }
    await witness.sees(t, 'server')
    t.same(noise(), [])
  })

  t.test(`HTTP/1.0${over}: the connection closes behind the end`, async (t) => {
    const { port, noise } = await start(t, routes, { tls })
    for (const [index, [title, [, body]]] of Object.entries(SOURCES).entries()) {
      const client = await connect(t, port, { tls })
      client.write(`GET /${index} HTTP/1.0\r\n\r\n`)
      await client.ended()
      t.equal(client.response.status, 200, title)
      t.ok(client.response.body.toString() === body)
      t.equal(client.error, null)
    }
    t.same(noise(), [])
  })

  t.test(`HTTP/2${over}: the stream is closed without an error`, async (t) => {
    const { origin, noise } = await start(t, routes, { http2: true, tls })
    const session = http2.connect(origin, { ca: CERTIFICATE.cert })
    t.teardown(() => { session.destroy() })
    for (const [index, [title, [, body]]] of Object.entries(SOURCES).entries()) {
      const stream = session.request({ ':path': `/${index}` }).setEncoding('utf8')
      let text = ''
      let hasEnded = false
      stream.on('data', (piece: string) => { text += piece }).on('end', () => { hasEnded = true })
      await until(() => stream.destroyed, title)
      t.ok(text === body && hasEnded, title)
      t.equal(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR)
    }
    t.same(noise(), [])
  })
}

t.test('inject: the whole of it is the payload', async (t) => {
  const { app } = await start(t, routes)
  for (const [index, [title, [, body]]] of Object.entries(SOURCES).entries()) {
    const response = await app.inject(`/${index}`)
    t.equal(response.statusCode, 200, title)
    t.ok(response.payload === body)
  }
})

t.test('pipelined streams come one behind the other', async (t) => {
  const { port } = await start(t, routes)
  const client = await connect(t, port)
  client.get('/1').get('/0').get('/2')
  await client.until((response: RawResponse) => response.rest.includes(':\n\n\r\n0\r\n\r\n'))
  t.equal(client.text.split('HTTP/1.1 200 OK').length - 1, 3)
  t.equal(client.text.split('data: one').length - 1, 2)
})

t.test('a client that asks for the connection to be closed gets that', async (t) => {
  const { port } = await start(t, routes)
  const client = (await connect(t, port)).get('/0', { Connection: 'close' })
  await client.ended()
  t.ok(client.response.complete)
})

/** What a handler pipes, and what its client gets of it. */
async function piped (t: Test, handle: RouteHandlerMethod): Promise<string> {
  const { port } = await start(t, (app) => { app.stream('/', handle) })
  const client = (await connect(t, port)).get('/')
  return (await client.answer()).body.toString()
}

t.test('end: false leaves the stream open for what comes next', async (t) => {
  t.equal(await piped(t, async (_request, { connection }) => {
    t.equal(await connection.pipe(['one'], { end: false }), true)
    t.equal(connection.reason, null)
    t.equal(await connection.pipe((async function * () {
      await soon()
      yield 'two'
    })(), { end: false }), true)
    await connection.event('by hand')
    t.equal(await connection.pipe(['three']), true)
    t.equal(connection.reason, 'server')
    t.equal(await connection.pipe(['never']), false)
  }), 'data: one\n\ndata: two\n\ndata: by hand\n\ndata: three\n\n')
})

t.test('an empty source that is piped and does not end the stream has opened nothing', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', async (_request, reply) => {
      await reply.connection.pipe([], { end: false })
      return reply.code(204).send()
    })
  })
  t.equal((await (await connect(t, port)).get('/').head()).status, 204)
  t.equal(app.connections.size, 0)
})

t.test('several sources at once each end for themselves', async (t) => {
  const text = await piped(t, async (_request, { connection }) => {
    const slowly = async function * (name: string, ms: number) {
      for (let i = 0; i < 3; i++) {
        await delay(ms)
        yield name + i
      }
    }
    await Promise.all([connection.pipe(slowly('a', 3), { end: false }), connection.pipe(slowly('b', 5), { end: false })])
    connection.close()
  })
  const items = text.split('\n\n').filter((block) => block.startsWith('data')).map((block) => block.slice(6))
  t.same(items.filter((item) => item.startsWith('a')), ['a0', 'a1', 'a2'])
  t.same(items.filter((item) => item.startsWith('b')), ['b0', 'b1', 'b2'])
})

t.test('what is no source is refused, and nothing is sent', async (t) => {
  const { port } = await start(t, (app) => {
    app.stream('/', async (_request, { connection }) => {
      for (const bad of [undefined, null, 7, 'text', {}, Buffer.from('bytes'), new Uint8Array(3), () => ['x'], Symbol('s')]) {
        await t.rejects(connection.pipe(bad as never), { code: 'PST_ERR_ARGUMENT', message: /^pipe takes an iterable, a stream, a Response or an observable/ })
      }
      connection.close()
    })
  })
  t.equal((await (await connect(t, port)).get('/').answer()).body.toString(), ':\n\n')
})

t.test('a stream may end before its source does', async (t) => {
  let ended = 0
  const text = await piped(t, (_request, reply) => {
    void reply.connection.pipe((async function * () {
      try {
        for (let i = 0; ; i++) {
          yield i
          await soon()
        }
      } finally {
        ended++
      }
    })())
    setTimeout(() => { reply.closeChunk() }, 20)
  })
  t.match(text, /^(:\n\n)?data: 0\n\ndata: 1\n\n/)
  await until(() => ended === 1)
})
