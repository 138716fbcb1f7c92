/** WebSockets over TLS, beside HTTP/2, by inject, and what else asks for an upgrade. */
import { once } from 'node:events'
import t from 'tap'
import type { RawClient } from '../support/socket.ts'
import { build, start } from '../support/server.ts'
import { upgrade } from '../support/raw-web-socket.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

for (const options of [{}, { tls: true }, { tls: true, http2: true, allowHTTP1: true }]) {
  await t.test(`messages, topics and ends are the same with ${JSON.stringify(options)}`, async (t) => {
    const server = await start(t, (app) => {
      app.stream('/', { topics: 'a', websocket: { handle: (message) => ({ reply: message, close: message.length === 0 }) } })
    }, options)
    const witness = new Witness(server.app)
    const socket = await dial(t, server, '/', { origin: server.origin })
    await socket.next()
    for (const size of [1, 1_000, 100_000]) {
      socket.send('ä'.repeat(size))
      t.equal(await socket.raw(), 'ä'.repeat(size))
      server.app.topics.publish('a', 'ö'.repeat(size))
      t.match(await socket.next(), { data: 'ö'.repeat(size) })
    }
    socket.send('')
    t.equal(await socket.raw(), '')
    t.equal((await socket.closed).code, 1000)
    await witness.sees(t, 'server')
  })

  await t.test(`a failure is told by its code with ${JSON.stringify(options)}`, async (t) => {
    const server = await start(t, (app) => { app.stream('/', { websocket: { init: (_request, connection) => { connection.event('x') } } }) }, options)
    const witness = new Witness(server.app)
    const socket = await dial(t, server, '/')
    const connection = await witness.open()
    await socket.next()
    await until(() => connection.queued === 0)
    connection.destroy('error')
    t.equal((await socket.closed).code, 1011)
    await witness.sees(t, 'error')
  })
}

await t.test('injectWS reaches a stream route', async (t) => {
  const { app } = await build(t, (app) => {
    app.stream('/', { topics: 'a', websocket: { handle: (message) => ({ reply: message }) } })
  }, { pastelli: { heartbeat: 50 } })
  const witness = new Witness(app)
  await app.ready()
  const got: string[] = []
  const ws = await app.injectWS('/', {}, { onInit: (ws) => { ws.on('message', (data) => { got.push(String(data)) }) } })
  ws.send('hello')
  await until(() => got.includes('hello'))
  app.topics.publish('a', 7)
  await until(() => got.some((text) => text.includes('"data":7')))
  const connection = await witness.open()
  t.equal(connection.transport, 'websocket')
  await until(() => got.filter((text) => !text.includes('data')).length > 3, 'it is told its position again and again, and never given up')
  connection.close()
  t.equal((await once(ws, 'close'))[0], 1000)
  connection.destroy()
  await witness.sees(t, 'server')
})

await t.test('who offers an upgrade to something else gets what it asked for over HTTP', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { init: () => {} } }, (_request, reply) => { reply.event('over HTTP') })
    app.stream('/only', { websocket: { init: () => {} } })
    app.get('/plain', async () => 'as ever')
  })
  const witness = new Witness(server.app)
  const ask = async (path: string) => (await upgrade(t, server.port, path, { Upgrade: 'h2c', 'Sec-WebSocket-Key': '' })).client
  const plain = await ask('/plain')
  t.match(await plain.answer(), { status: 200, headers: { connection: 'close' }, body: Buffer.from('as ever') })
  await plain.closed()
  t.equal((await (await ask('/only')).answer()).status, 426)
  const ends: Array<(client: RawClient) => unknown> = [(client) => client.halfClose(), (client) => client.leave(), (client) => client.reset()]
  for (const end of ends) {
    const stream = await ask('/')
    await stream.until('over HTTP')
    t.equal(stream.response.headers['content-type'], 'text/event-stream; charset=utf-8')
    end(stream)
  }
  await witness.sees(t, 'client')
})
