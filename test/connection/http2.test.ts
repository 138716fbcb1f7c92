/** Every way in which a stream over HTTP/2 can end is reported exactly once, with its reason. */
import http2 from 'node:http2'
import t, { type Test } from 'tap'
import { CERTIFICATE, start, type Server } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Scene extends Server { session: http2.ClientHttp2Session, stream: http2.ClientHttp2Stream, witness: Witness, received: () => string }

async function open (t: Test, { tls = true, settings = {} }: { tls?: boolean, settings?: http2.Settings } = {}): Promise<Scene> {
  const server = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.event('hello') })
    app.stream('/before', (_request, reply) => { reply.connection.destroy('error') })
    app.stream('/trailers', (_request, reply) => {
      reply.trailer('x-late', async () => 'never')
      reply.event('hello')
    })
  }, { http2: true, tls })
  const witness = new Witness(server.app)
  const session = http2.connect(server.origin, { ca: CERTIFICATE.cert, settings })
  session.on('error', () => {})
  t.teardown(() => { session.destroy() })
  const stream = session.request({ ':path': '/' })
  stream.on('error', () => {})
  let text = ''
  stream.on('data', (bytes: Buffer) => { text += bytes.toString() })
  await until(() => text.includes('hello') || stream.closed)
  return { ...server, session, stream, witness, received: () => text }
}

for (const tls of [false, true]) {
  await t.test(tls ? 'over TLS' : 'in clear text', async (t) => {
    await t.test('the client resets the stream', async (t) => {
      const { stream, witness } = await open(t, { tls })
      stream.close(http2.constants.NGHTTP2_CANCEL)
      await witness.sees(t, 'client')
    })

    await t.test('the client closes the session', async (t) => {
      const { session, witness } = await open(t, { tls })
      session.destroy()
      await witness.sees(t, 'client')
    })

    await t.test('the client\'s socket is reset', async (t) => {
      const { session, witness } = await open(t, { tls })
      session.destroy(new Error('cut'), http2.constants.NGHTTP2_PROTOCOL_ERROR)
      await witness.sees(t, 'client')
    })

    await t.test('the server closes, and the stream ends properly', async (t) => {
      const { stream, witness, received } = await open(t, { tls })
      const connection = await witness.open()
      t.equal(connection.transport, 'http2')
      connection.event('bye')
      connection.close()
      await until(() => stream.destroyed)
      await witness.sees(t, 'server')
      t.equal(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR)
      t.match(received(), /hello\n\ndata: bye\n\n$/)
    })

    await t.test('the server destroys, and the client can tell', async (t) => {
      const { stream, witness } = await open(t, { tls })
      ;(await witness.open()).destroy('error')
      await until(() => stream.destroyed)
      await witness.sees(t, 'error')
      t.equal(stream.rstCode, http2.constants.NGHTTP2_INTERNAL_ERROR)
    })
  })
}

await t.test('a client that closes its window stops the sender, and room comes back with the window', async (t) => {
  const { stream, witness } = await open(t)
  stream.pause()
  const connection = await witness.open()
  let sent = 0
  let waiting: Promise<boolean> | undefined
  while (waiting === undefined) {
    const answer = connection.event('x'.repeat(10_000))
    sent++
    if (answer !== true) waiting = answer as Promise<boolean>
    else await new Promise(setImmediate)
    if (sent > 1_000) break
  }
  t.ok(sent < 100, `it waits after ${sent} events of 10 kB`)
  stream.resume()
  t.equal(await waiting, true)
})

await t.test('a stream that is cut before its take-over, or that has trailers, is no proper end either', async (t) => {
  const { session, app } = await open(t)
  app.connections.on('open', (connection) => { if (connection.route === '/trailers') connection.destroy('error') })
  for (const path of ['/before', '/trailers']) {
    const stream = session.request({ ':path': path })
    stream.on('error', () => {})
    stream.resume()
    await until(() => stream.destroyed)
    t.equal(stream.rstCode, http2.constants.NGHTTP2_INTERNAL_ERROR, path)
  }
})

await t.test('many streams on one session end one by one', async (t) => {
  const { session, app, witness } = await open(t)
  const others = Array.from({ length: 50 }, () => session.request({ ':path': '/' }))
  for (const other of others) other.resume()
  await until(() => app.connections.size === 51)
  for (const other of others.slice(0, 20)) other.close(http2.constants.NGHTTP2_CANCEL)
  await until(() => app.connections.size === 31)
  t.equal(app.connections.counts.client, 20)
  session.destroy()
  await witness.sees(t, 'client')
})
