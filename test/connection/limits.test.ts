/** Places for open streams: refused before the handler runs, released on every path. */
import t, { type Test } from 'tap'
import { connect } from '../support/socket.ts'
import { start, type Server } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { PastelliOptions } from '../../index.ts'

let handled = 0

async function serve (t: Test, options: PastelliOptions): Promise<Server> {
  handled = 0
  return await start(t, (app) => {
    app.stream('/', () => { handled++ })
    app.stream('/one', { maxConnections: 1 }, () => { handled++ })
    app.stream('/each', { maxConnectionsPerKey: 1, key: (request) => String(request.headers['x-user']) }, () => { handled++ })
    app.stream('/answers', (_request, reply) => reply.send({ hello: 1 }))
    app.stream('/throws', () => { throw new Error('broken') })
    app.stream('/ends', (_request, reply) => { reply.closeChunk() })
    app.get('/plain', (_request, reply) => { reply.sendChunked() })
  }, { pastelli: options })
}

async function status (t: Test, port: number, path: string, headers: Record<string, string> = {}): Promise<number> {
  const client = (await connect(t, port)).get(path, headers)
  await client.until((response) => response.status)
  return client.response.status
}

await t.test('above maxConnections a stream is refused with 503 and Retry-After, and its handler does not run', async (t) => {
  const { port, app } = await serve(t, { maxConnections: 2 })
  t.equal(await status(t, port, '/'), 200)
  t.equal(await status(t, port, '/plain'), 200)
  const refused = await app.inject('/')
  t.equal(refused.statusCode, 503)
  t.equal(refused.json().code, 'PST_ERR_MAX_CONNECTIONS')
  t.match(refused.headers['retry-after'], /^\d+$/)
  t.equal(handled, 1)
  t.equal((await app.inject('/plain')).statusCode, 503, 'an ordinary route too, when it wants to stream')
})

await t.test('a route may have its own limit, within the server\'s', async (t) => {
  const { port, app } = await serve(t, { maxConnections: 2 })
  t.equal(await status(t, port, '/one'), 200)
  t.equal((await app.inject('/one')).statusCode, 503)
  t.equal(await status(t, port, '/'), 200)
  t.equal((await app.inject('/')).statusCode, 503)
})

await t.test('above maxConnectionsPerKey a client is refused with 429, by its address or by a key', async (t) => {
  const { port, app } = await serve(t, { maxConnectionsPerKey: 2 })
  t.equal(await status(t, port, '/'), 200)
  t.equal(await status(t, port, '/'), 200)
  const refused = await app.inject('/')
  t.equal(refused.statusCode, 429)
  t.equal(refused.json().code, 'PST_ERR_MAX_CONNECTIONS_PER_KEY')
  t.match(refused.headers['retry-after'], /^\d+$/)
  t.equal(await status(t, port, '/each', { 'x-user': 'ann' }), 200)
  t.equal(await status(t, port, '/each', { 'x-user': 'bob' }), 200)
  t.equal(await status(t, port, '/each', { 'x-user': 'ann' }), 429)
})

await t.test('a key that is no string is an error, not a way round the limit', async (t) => {
  const { app } = await start(t, (app) => {
    app.stream('/', { maxConnectionsPerKey: 1, key: (async () => 'late') as never }, () => { handled++ })
  })
  handled = 0
  const { statusCode, body } = await app.inject('/')
  t.equal(statusCode, 500)
  t.match(JSON.parse(body), { code: 'PST_ERR_OPTION' })
  t.equal(handled, 0)
})

await t.test('a schema of events that can\'t be compiled fails each request, and takes no place', async (t) => {
  const { app } = await start(t, (app) => {
    app.stream('/', { maxConnections: 1, schema: { events: { tick: { $ref: 'nowhere#' } } } }, () => {})
  })
  for (let i = 0; i < 3; i++) t.equal((await app.inject('/')).statusCode, 500)
})

await t.test('the place is released on every path', async (t) => {
  const { port, app } = await serve(t, { maxConnections: 1 })
  const isFree = async () => {
    const client = await connect(t, port)
    for (;;) {
      client.get('/ends')
      const seen = client.bytes.length
      await until(() => client.bytes.length > seen && client.text.includes('HTTP/1.1'))
      if (client.text.includes('200 OK')) return true
      t.match(client.text, '503')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  for (const path of ['/answers', '/throws', '/nowhere']) {
    await app.inject(path)
    t.equal((await app.inject('/ends')).statusCode, 200, path)
  }
  for (const leave of ['leave', 'reset', 'halfClose'] as const) {
    const client = (await connect(t, port)).get('/')
    await client.until((response) => response.status === 200)
    client[leave]()
    t.ok(await isFree(), leave)
    await until(() => app.connections.size === 0)
  }
  const early = (await connect(t, port)).get('/')
  early.leave()
  t.ok(await isFree(), 'a client that leaves at once')
})

await t.test('a refusal by the second limit leaves no trace in the first', async (t) => {
  const { port, app } = await serve(t, { maxConnections: 2 })
  t.equal(await status(t, port, '/one'), 200)
  for (let i = 0; i < 5; i++) t.equal((await app.inject('/one')).statusCode, 503)
  t.equal(await status(t, port, '/'), 200, 'the second place is still free')
})
