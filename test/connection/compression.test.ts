/** Compressed streams: each event can be read when it was sent, over every protocol, and the end says that all is there. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import zlib from 'node:zlib'
import compress from '@fastify/compress'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { type Connection, memoryLog } from '../../index.ts'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { CODINGS, decoded } from '../support/decode.ts'
import { EventReader } from '../support/event-reader.ts'
import { type ServerOptions, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const WORDS = ['grüße', 'hello', '🎨 crayon', 'a line\nand another', 'x'.repeat(5_000), 'hello', 'y'.repeat(40_000)]

const PROTOCOLS: Record<string, ServerOptions> = {
  'HTTP/1.1': {},
  'HTTP/1.1 over TLS': { tls: true },
  'HTTP/2': { http2: true },
  'HTTP/2 over TLS': { http2: true, tls: true }
}

for (const coding of CODINGS) {
  for (const [protocol, options] of Object.entries(PROTOCOLS)) {
    t.test(`${coding} over ${protocol}: each event can be read before the next is sent`, async (t) => {
      const { app, origin, noise } = await start(t, (app) => { app.stream('/', { compression: [coding] }, () => {}) }, options)
      const witness = new Witness(app)
      const client = await subscribe(t, origin, '/', { headers: { 'accept-encoding': coding }, protocol: options.http2 === true ? 'http2' : 'http1' })
      t.equal(client.headers['content-encoding'], coding)
      t.match(client.headers.vary, /accept-encoding/i)
      const connection = await witness.open()
      for (const [i, word] of WORDS.entries()) {
        await connection.event(word)
        await client.count(i + 1)
      }
      connection.chunk(Buffer.from(': bytes\n\n'))
      await client.until(': bytes')
      connection.comment('a comment')
      await client.until(': a comment')
      t.same(client.data, WORDS)
      connection.close()
      await client.ended()
      t.equal(client.failure, null, 'the end is as it should be')
      t.ok(client.bytes < connection.bytes, `${client.bytes} of ${connection.bytes}`)
      t.equal(connection.bytes, Buffer.byteLength(client.text), 'what is counted is what was sent before it is compressed')
      await witness.sees(t, 'server')
      t.same(noise(), [])
    })
  }

  t.test(`${coding} to a client of HTTP/1.0, and one that waits for its turn in a pipeline`, async (t) => {
    const { port } = await start(t, (app) => {
      app.stream('/', { compression: [coding] }, async function * () { yield * WORDS })
      app.get('/plain', async () => { await delay(20) })
    })
    const old = await connect(t, port)
    old.write(`GET / HTTP/1.0\r\nAccept-Encoding: ${coding}\r\n\r\n`)
    await old.ended()
    const { headers, body } = old.response
    t.equal(headers['content-encoding'], coding)
    t.same((await read(coding, body)).data, WORDS)
    const second = await connect(t, port)
    second.get('/plain').get('/', { 'Accept-Encoding': coding })
    await second.until((response) => response.complete && response.rest.toString().endsWith('\r\n0\r\n\r\n'))
    const rest = second.response.rest
    t.match(rest.toString('latin1'), `content-encoding: ${coding}`)
  })

  t.test(`${coding} and a slow client: it is waited for, then gets everything`, async (t) => {
    const { app, port } = await start(t, (app) => { app.stream('/', { compression: [coding] }, () => {}) })
    const witness = new Witness(app)
    const client = (await connect(t, port)).get('/', { 'Accept-Encoding': coding })
    const connection = await witness.open()
    client.pause()
    const sent = flood(connection)
    await waits(connection)
    t.ok(connection.queued > 0 && connection.queued < 200_000, `${connection.queued} bytes wait for it`)
    client.resume()
    t.equal(await sent, true)
    connection.close()
    const { body } = await client.answer()
    t.equal((await read(coding, body)).text.length, connection.bytes)
    await witness.sees(t, 'server')
  })

  t.test(`${coding} and a client that leaves: what was for it is let go`, async (t) => {
    const { app, port, noise: complaints } = await start(t, (app) => { app.stream('/', { compression: [coding] }, () => {}) })
    const witness = new Witness(app)
    const client = (await connect(t, port)).get('/', { 'Accept-Encoding': coding })
    const connection = await witness.open()
    client.pause()
    const sent = flood(connection)
    await waits(connection)
    client.reset()
    t.equal(await sent, false)
    await witness.sees(t, 'client')
    t.same(complaints(), [])
  })

  t.test(`${coding} and a client that takes nothing: it is cut with overflow`, async (t) => {
    const { app, port } = await start(t, (app) => { app.stream('/', { compression: [coding] }, () => {}) })
    const witness = new Witness(app)
    const client = (await connect(t, port)).get('/', { 'Accept-Encoding': coding })
    const connection = await witness.open()
    client.pause()
    for (let n = 0; n < 3_000 && connection.event(noise(8_000)) !== false; n++) if (n % 10 === 0) await turns(1)
    await witness.sees(t, 'overflow')
  })

  t.test(`${coding} at shutdown: the stream ends as it should`, async (t) => {
    const { app, origin } = await start(t, (app) => { app.stream('/', { compression: [coding], topics: 'a' }) })
    const client = await subscribe(t, origin, '/', { headers: { 'accept-encoding': coding } })
    await until(() => app.topics.subscribers('a') === 1)
    app.topics.publish('a', 'last words')
    await app.close()
    await client.ended()
    t.same(client.data, ['last words'])
    t.match(client.text, /retry: \d+\n\n$/)
    t.equal(client.failure, null)
  })
}

t.test('subscribers that come at any time, resume, and get events of their own, all read the same', async (t) => {
  const { app, origin, noise } = await start(t, (app) => { app.stream('/', { topics: 'a', compression: ['gzip'], heartbeat: 1_000 }) }, { pastelli: { log: memoryLog({ events: 500 }) } })
  const clients: Array<{ client: Awaited<ReturnType<typeof subscribe>>, from: number }> = []
  for (let n = 1; n <= 200; n++) {
    if (n % 10 === 0) clients.push({ client: await subscribe(t, origin, '/', { headers: { 'accept-encoding': 'gzip' } }), from: n })
    if (n % 35 === 0) clients.push({ client: await subscribe(t, origin, '/', { headers: { 'accept-encoding': 'gzip' }, lastEventId: app.topics.position.replace(/\d+$/, '20') }), from: 21 })
    app.topics.publish('a', { n, text: 'the same words again and again' })
    if (n % 15 === 0) for (const connection of app.connections) connection.event({ own: connection.id }, { event: 'own' })
    if (n % 3 === 0) await turns(1)
  }
  for (const { client, from } of clients) {
    await until(() => numbers(client).length === 201 - from, `all from ${from} are there`)
    t.same(numbers(client), Array.from({ length: 201 - from }, (_, i) => from + i))
    t.equal(client.failure, null)
  }
  t.same(noise(), [])
})

t.test('what many get is compressed with what they had before: a third of the bytes', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'a', compression: ['gzip'] }) })
  const [client, plain] = [await subscribe(t, origin, '/', { headers: { 'accept-encoding': 'gzip' } }), await subscribe(t, origin, '/')]
  await until(() => app.topics.subscribers('a') === 2)
  for (let n = 0; n < 200; n++) {
    app.topics.publish('a', { series: 'cpu', at: 1_732_400_000_000 + n * 1000, value: n % 17 })
    await turns(2)
  }
  await client.count(200)
  await plain.count(200)
  t.ok(client.bytes < plain.bytes * 0.4, `${client.bytes} of ${plain.bytes}`)
})

t.test('the head: which coding, and what caches have to know', async (t) => {
  const { origin } = await start(t, (app) => {
    app.stream('/all', { compression: ['gzip', 'br'] }, ending)
    app.stream('/br', { compression: ['br', 'gzip'] }, ending)
    app.stream('/off', { compression: [] }, ending)
    app.get('/ordinary', (_request, reply) => { reply.type('text/plain').chunk('a'); reply.closeChunk() })
    app.stream('/own', (_request, reply) => {
      reply.type('text/plain').header('content-encoding', 'gzip').chunk(zlib.gzipSync('own'))
      reply.closeChunk()
    })
    app.stream('/length', (_request, reply) => {
      reply.type('text/plain').header('content-length', 3).chunk('abc')
      reply.closeChunk()
    })
    app.stream('/other', async (_request, reply) => reply.send({ plain: true }))
    app.stream('/failing', async () => { throw new Error('failing') })
  }, { pastelli: { compression: ['gzip'] } })
  const CASES: Array<[path: string, accept: string | undefined, coding: string | undefined, vary?: RegExp]> = [
    ['/all', 'gzip, deflate, br, zstd', 'gzip'],
    ['/br', 'gzip, deflate, br, zstd', 'br'],
    ['/all', 'br', 'br'],
    ['/all', 'x-gzip', 'gzip'],
    ['/all', 'GZIP', 'gzip'],
    ['/all', 'gzip;q=0.5, br;q=0.6', 'br'],
    ['/all', '*', 'gzip'],
    ['/all', 'gzip;q=0, *', 'br'],
    ['/all', 'gzip;q=0', undefined],
    ['/all', 'deflate', undefined],
    ['/all', 'identity', undefined],
    ['/all', 'identity, gzip;q=0.5', undefined],
    ['/all', 'identity;q=0.5, gzip', 'gzip'],
    ['/all', '', undefined],
    ['/all', undefined, undefined],
    ['/off', 'gzip', undefined],
    ['/ordinary', 'gzip', 'gzip'],
    ['/own', 'gzip', 'gzip'],
    ['/own', undefined, 'gzip'],
    ['/length', 'gzip', undefined],
    ['/other', 'gzip', undefined],
    ['/failing', 'gzip', undefined]
  ]
  for (const [path, accept, coding] of CASES) {
    const headers: Record<string, string> = accept === undefined ? {} : { 'accept-encoding': accept }
    const name = `${path} for ${accept}`
    const client = await subscribe(t, origin, path, { headers })
    await client.ended()
    t.equal(client.headers['content-encoding'], coding, name)
    t.equal(client.failure, null, name)
    t.equal(/accept-encoding/i.test(client.headers.vary ?? ''), !['/off', '/own', '/length', '/other', '/failing'].includes(path), `${name}: vary`)
    t.match(client.text, { '/ordinary': 'a', '/own': 'own', '/length': 'abc', '/other': '{"plain":true}', '/failing': 'failing' }[path] ?? 'data: a\n\n', name)
    const head = await fetch(origin + path, { method: 'HEAD', headers: { 'accept-encoding': accept ?? 'identity' } })
    if (path === '/all') t.equal(head.headers.get('content-encoding') ?? undefined, coding, `${name}: HEAD`)
  }
})

t.test('HEAD says what GET does, also to a client that can\'t stream', async (t) => {
  const { origin } = await start(t, (app) => { app.stream('/', { compression: ['gzip'] }, () => ['a']) })
  for (const [accept, coding] of [['text/event-stream', 'gzip'], ['text/plain', 'gzip'], ['application/json', null]] as const) {
    const [head, get] = await Promise.all(['HEAD', 'GET'].map((method) => fetch(origin, { method, headers: { accept, 'accept-encoding': 'gzip' } })))
    for (const response of [head, get]) t.equal(response?.headers.get('content-encoding'), coding, accept)
    t.equal(head?.headers.get('vary'), get?.headers.get('vary'), accept)
    await get?.text()
  }
})

t.test('hooks: one that takes the coding back, one that answers otherwise, one that fails', async (t) => {
  const { origin } = await start(t, (app) => {
    app.stream('/plain', { onSend: async (_request, reply, payload) => { reply.header('content-encoding', 'identity'); return payload } }, ending)
    app.stream('/other', { onSend: async () => 'instead' }, ending)
    app.stream('/failing', { onSend: async () => { throw new Error('no') } }, ending)
    app.stream('/passing', { onSend: async (_request, _reply, payload) => (payload as PassThrough).pipe(new PassThrough()) }, ending)
  }, { pastelli: { compression: ['gzip'] } })
  for (const [path, coding, text] of [['/plain', 'identity', 'data: a\n\n'], ['/other', null, 'instead'], ['/failing', null, '"message":"no"'], ['/passing', 'gzip', 'data: a\n\n']] as const) {
    const response = await fetch(origin + path, { headers: { 'accept-encoding': 'gzip' } })
    t.equal(response.headers.get('content-encoding'), coding, path)
    t.equal(response.headers.get('vary'), coding === 'gzip' ? 'Accept, Accept-Encoding' : 'Accept', path)
    t.match(await response.text(), text, path)
  }
})

t.test('beside @fastify/compress nothing is compressed twice', async (t) => {
  const { origin } = await start(t, (app) => {
    app.stream('/events', ending)
    app.get('/text', (_request, reply) => { reply.type('text/plain').chunk('a'); reply.closeChunk() })
    app.get('/json', async () => ({ text: 'x'.repeat(2_000) }))
  }, { pastelli: { compression: ['gzip'] }, before: (app: FastifyInstance) => app.register(compress, { threshold: 0, encodings: ['gzip'] }) })
  for (const [path, text] of [['/events', 'data: a\n\n'], ['/text', 'a'], ['/json', 'xxx']] as const) {
    const client = await subscribe(t, origin, path, { headers: { 'accept-encoding': 'gzip' } })
    await client.ended()
    t.equal(client.headers['content-encoding'], 'gzip', path)
    t.equal(client.failure, null, path)
    t.match(client.text, text, path)
  }
})

t.test('beside @fastify/compress text that is streamed can be read at once, where a route says compress: false', async (t) => {
  const { origin } = await start(t, (app) => {
    app.stream('/', { compress: false }, (_request, reply) => { reply.event('a') })
  }, { pastelli: { compression: ['gzip'] }, before: (app: FastifyInstance) => app.register(compress, { threshold: 0 }) })
  const client = await subscribe(t, origin, '/', { headers: { accept: 'text/plain', 'accept-encoding': 'gzip' } })
  t.equal(client.headers['content-encoding'], 'gzip')
  await client.until('a')
  t.equal(client.isEnded, false)
})

t.test('bytes that the app uses again once they were taken change nothing', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { compression: ['gzip'] }, () => {}) })
  const witness = new Witness(app)
  const client = await subscribe(t, origin, '/', { headers: { 'accept-encoding': 'gzip' } })
  const connection = await witness.open()
  const bytes = Buffer.alloc(1_000)
  for (let n = 0; n < 20; n++) {
    bytes.fill(65 + n)
    connection.chunk(bytes)
    await client.until(String.fromCharCode(65 + n).repeat(1_000))
  }
  connection.close()
  await client.ended()
  t.equal(client.failure, null)
})

t.test('in Chromium', { skip: withoutChromium(), timeout: 60_000 }, async (t) => {
  const browser = await launchChromium(t)
  for (const coding of CODINGS) {
    await t.test(coding, async (t) => {
      const { app, origin } = await start(t, (app) => {
        app.get('/', async (_request, reply) => reply.type('text/html').send('<!doctype html><title>compressed</title>'))
        app.stream('/feed', { topics: 'a', compression: [coding] })
      })
      const seen: string[] = []
      app.connections.on('open', () => { seen.push('open') })
      const page = await browser.newPage()
      t.teardown(() => page.close())
      await page.goto(origin)
      const encoded = page.waitForResponse((response) => response.url().endsWith('/feed'))
      await page.evaluate(() => {
        const data: string[] = []
        Object.assign(globalThis, { data })
        for (let n = 0; n < 3; n++) {
          new EventSource('/feed').onmessage = (event) => { data.push(event.data) }
        }
      })
      t.equal((await (await encoded).allHeaders())['content-encoding'], coding)
      await until(() => app.topics.subscribers('a') === 3)
      for (let n = 1; n <= 20; n++) {
        app.topics.publish('a', `event ${n} grüße`)
        await page.waitForFunction((count) => (globalThis as unknown as { data: string[] }).data.length === count, n * 3)
      }
      const data = await page.evaluate(() => (globalThis as unknown as { data: string[] }).data)
      t.same(data, Array.from({ length: 60 }, (_, i) => `event ${Math.floor(i / 3) + 1} grüße`))
      // Cut without an end, they come back, and have missed nothing.
      for (const connection of app.connections) connection.destroy()
      app.topics.publish('a', 'meanwhile')
      await page.waitForFunction(() => (globalThis as unknown as { data: string[] }).data.length === 63)
      t.equal(seen.length, 6)
      const whole = page.evaluate(async () => await (await fetch('/feed')).text())
      await until(() => app.connections.size === 4)
      for (const connection of app.connections) connection.close()
      t.match(await whole, /id: \S+\n\n$/)
    })
  }
})

async function * ending (): AsyncGenerator<string> {
  yield 'a'
}

function numbers (reader: EventReader): number[] {
  return reader.events.filter(({ event }) => event === 'message').map(({ data }) => JSON.parse(data).n)
}

async function turns (count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise(setImmediate)
}

// Text that is hard to make smaller.
function noise (size: number): string {
  return randomBytes(size * 3 / 4).toString('base64')
}

async function flood (connection: Connection): Promise<boolean> {
  for (let n = 0; n < 3_000; n++) if (!await connection.event(noise(8_000))) return false
  return true
}

/** Resolves once nothing has been sent for a while. */
async function waits (connection: Connection): Promise<void> {
  let bytes = 0
  let times = 0
  await until(() => {
    times = connection.bytes === bytes ? times + 1 : 0
    bytes = connection.bytes
    return times === 50
  }, 'the sender waits')
}

async function read (coding: string, body: Buffer): Promise<EventReader> {
  const reader = new EventReader()
  const source = new PassThrough()
  const text = decoded(source, coding)
  text.on('data', (bytes: Buffer) => { reader.feed(bytes) })
  source.end(body)
  await once(text, 'end')
  return reader
}
