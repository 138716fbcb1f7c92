/** With @fastify/compress: an event stream is left alone, a chunked text is compressed and still ends properly. */
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import compress from '@fastify/compress'
import type { FastifyInstance, FastifyReply } from 'fastify'
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const gunzip = promisify(zlib.gunzip)
const LINE = 'the same line again and again\n'

const text = (_request: unknown, reply: FastifyReply) => {
  reply.type('text/plain')
  for (let i = 0; i < 200; i++) reply.chunk(LINE)
  reply.closeChunk()
}

const register = (app: FastifyInstance) => app.register(compress, { threshold: 0 })

for (const place of ['behind', 'ahead of'] as const) {
  t.test(`registered ${place} Pastelli`, async (t) => {
    const routes = (app: FastifyInstance) => {
      app.stream('/events', (_request, reply) => { reply.event('a') })
      app.get('/text', text)
      app.get('/async-text', async (request, reply) => { text(request, reply) })
      app.get('/live', (_request, reply) => { reply.type('text/plain').chunk(LINE) })
      app.get('/json', async () => ({ text: LINE.repeat(200) }))
    }
    const { app, port, noise, lines } = await start(t, async (app) => {
      if (place === 'behind') await register(app)
      routes(app)
    }, { ...place === 'ahead of' && { before: register } })
    const ask = async (path: string, encoding = 'gzip') => (await connect(t, port)).get(path, { 'Accept-Encoding': encoding })

    t.test('an event stream goes out as it is', async (t) => {
      const client = await ask('/events', 'br, gzip, deflate')
      await client.until('data: a\n\n')
      t.notOk('content-encoding' in client.response.headers)
      const [connection] = app.connections
      client.leave()
      t.equal(await connection?.closed, 'client')
    })

    for (const path of ['/text', '/async-text']) {
      t.test(`${path} arrives whole, and the stream ends once`, async (t) => {
        const before = app.connections.counts.server
        const { headers, body, rest } = await (await ask(path)).answer()
        t.equal(headers['content-encoding'], 'gzip')
        t.match(headers.vary, /accept-encoding/i)
        t.equal((await gunzip(body)).toString(), LINE.repeat(200))
        t.ok(body.length < LINE.length * 20)
        t.equal(rest.length, 0)
        await until(() => app.connections.counts.server === before + 1, 'it is reported as closed by the server')
        t.equal(app.connections.size, 0)
      })
    }

    t.test('a client that leaves a compressed stream is noticed', async (t) => {
      const before = app.connections.counts.client
      const client = await ask('/live')
      await until(() => app.connections.size === 1)
      client.leave()
      await until(() => app.connections.counts.client === before + 1, 'it is reported as left by the client')
    })

    t.test('a client that accepts no encoding gets plain text', async (t) => {
      const { headers, body } = await (await ask('/text', 'identity')).answer()
      t.notOk('content-encoding' in headers)
      t.equal(body.toString(), LINE.repeat(200))
    })

    t.test('what is no stream is compressed as ever', async (t) => {
      const { headers, body } = await (await ask('/json')).answer()
      t.equal(headers['content-encoding'], 'gzip')
      t.match(JSON.parse((await gunzip(body)).toString()), { text: LINE.repeat(200) })
    })

    t.test('the log has one line for each stream, and nothing above info', async (t) => {
      t.same(lines('stream closed').map(({ reason }) => reason).sort(), ['client', 'client', 'server', 'server', 'server'])
      t.same(noise(), [])
    })
  })
}

t.test('an event stream that is compressed at the app\'s own wish carries events, and ends properly', async (t) => {
  const { app, port, noise } = await start(t, async (app) => {
    await app.register(compress, { threshold: 0, customTypes: /event-stream/ })
    app.stream('/events', (_request, reply) => {
      reply.event('a'.repeat(1000))
      setTimeout(() => {
        reply.event('b')
        reply.closeChunk()
      }, 20)
    })
  })
  const { headers, body } = await (await connect(t, port)).get('/events', { 'Accept-Encoding': 'gzip' }).answer()
  t.equal(headers['content-encoding'], 'gzip')
  t.equal((await gunzip(body)).toString(), `data: ${'a'.repeat(1000)}\n\ndata: b\n\n`)
  await until(() => app.connections.counts.server === 1)
  t.same(noise(), [])
})
