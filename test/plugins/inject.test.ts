/** `inject()`: finite streams are buffered, live ones are read as they come. */
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { build } from '../support/server.ts'
import { until } from '../support/until.ts'

const routes = (app: FastifyInstance) => {
  app.stream('/finite', async (_request, reply) => {
    reply.initChunk('first')
    await new Promise(setImmediate)
    await reply.event('second', { id: 2 })
    reply.closeChunk()
  })
  app.stream('/live', () => {})
  app.post('/text', async (request, reply) => {
    reply.type('text/plain').sendChunked(201)
    await reply.chunk(JSON.stringify(request.body))
    reply.closeChunk()
  })
}

t.test('a finite stream comes back whole', async (t) => {
  const { app, logged } = await build(t, routes)
  const response = await app.inject('/finite')
  t.equal(response.statusCode, 200)
  t.match(response.headers, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' })
  t.equal(response.body, 'data: first\n\nid: 2\ndata: second\n\n')
  t.match(await logged('stream closed'), { reason: 'server', events: 2, bytes: response.rawPayload.length })
  const posted = await app.inject({ method: 'POST', url: '/text', payload: { a: 1 } })
  t.same([posted.statusCode, posted.headers['content-type'], posted.body], [201, 'text/plain', '{"a":1}'])
})

t.test('a live stream is read with payloadAsStream', async (t) => {
  const { app, noise } = await build(t, routes)
  const response = await app.inject({ url: '/live', payloadAsStream: true })
  t.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8')
  let text = ''
  const stream = response.stream().setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  const [connection] = app.connections
  t.equal(connection?.transport, 'response')
  await until(() => text === ':\n\n', 'the opening comment is here')
  for (const data of ['grüße', 'x'.repeat(100_000), 'last']) await connection?.event(data)
  connection?.chunk(Buffer.from(': bytes\n\n'))
  connection?.close()
  await until(() => stream.readableEnded, 'the stream ends')
  t.equal(text, `:\n\ndata: grüße\n\ndata: ${'x'.repeat(100_000)}\n\ndata: last\n\n: bytes\n\n`)
  t.equal(await connection?.closed, 'server')
  t.same(noise(), [])
})

t.test('a stream that is cut fails its reader', async (t) => {
  const { app } = await build(t, routes)
  const response = await app.inject({ url: '/live', payloadAsStream: true })
  const [connection] = app.connections
  let error: Error | null = null
  response.stream().on('error', (err) => { error = err }).resume()
  connection?.destroy('error')
  await until(() => error)
  t.match(error, { code: 'LIGHT_ECONNRESET' })
  t.equal(app.connections.counts.error, 1)
})

t.test('HEAD, an error and a refusal answer as on a port', async (t) => {
  const { app } = await build(t, (app) => {
    routes(app)
    app.stream('/broken', () => { throw new Error('broken') })
  })
  const head = await app.inject({ method: 'HEAD', url: '/live' })
  t.same([head.statusCode, head.headers['content-type'], head.body], [200, 'text/event-stream; charset=utf-8', ''])
  t.equal((await app.inject('/broken')).statusCode, 500)
  t.equal((await app.inject('/nowhere')).statusCode, 404)
  t.equal(app.connections.size, 0)
})
