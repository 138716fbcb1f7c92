/** A session of HTTP/2 from which nothing comes any more is given up, with its socket and all that it holds. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import http2, { type ServerHttp2Session } from 'node:http2'
import t, { type Test } from 'tap'
import type { PastelliOptions } from '../../index.ts'
import { untilSockets } from '../support/edge.ts'
import { start, type Server } from '../support/server.ts'
import { standStill } from '../support/stand-still.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'
import { plainNode } from '../support/plain-node.ts'

// More than a kernel takes for who does not read.
const MUCH = 32 * 1024 * 1024

// Of the client, as browsers have one: it is not the window that stops the server.
const CLIENT = `
  const [origin, ...paths] = process.argv.slice(1)
  const session = require('node:http2').connect(origin, { rejectUnauthorized: false, settings: { initialWindowSize: 2 ** 28 } })
  session.on('connect', () => session.setLocalWindowSize(2 ** 28))
  session.on('error', () => {})
  for (const path of paths) session.request({ ':path': path }).on('error', () => {}).once('data', () => console.log(path)).resume()
`

interface Scene extends Server { witness: Witness, client: ChildProcess }

/** A client in a process of its own, which has begun its streams. */
async function open (t: Test, tls: boolean, pastelli: PastelliOptions, paths: readonly string[]): Promise<Scene> {
  const server = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.event('hello') })
  }, { http2: true, tls, pastelli })
  const witness = new Witness(server.app)
  const client = spawn(process.execPath, ['-e', CLIENT, server.origin, ...paths], { stdio: ['ignore', 'pipe', 'inherit'], env: plainNode() })
  t.teardown(() => { client.kill('SIGKILL') })
  let told = ''
  client.stdout.setEncoding('utf8').on('data', (text: string) => { told += text })
  await until(() => told.split('\n').length > paths.length)
  return { ...server, witness, client }
}

await t.test('a session of which one stream after the other is cut keeps nothing of them', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', () => {}) }, { http2: true, pastelli: { heartbeat: 20 } })
  const witness = new Witness(app)
  const arrived = once(app.server, 'session') as Promise<[ServerHttp2Session]>
  const client = http2.connect(origin)
  t.teardown(() => { client.destroy() })
  const [session] = await arrived
  const counts: number[] = []
  for (let nth = 0; nth < 3; nth++) {
    let text = ''
    client.request({ ':path': '/' }).on('error', () => {}).setEncoding('utf8').on('data', (part: string) => { text += part })
    const connection = await witness.open(nth)
    await until(() => text.includes('heartbeat'))
    counts.push(session.listenerCount('close'))
    connection.destroy('error')
    await until(() => session.listenerCount('close') === counts[0], 'nobody waits for its end any more')
  }
  t.same(counts, counts.map(() => counts[0]))
  await witness.sees(t, 'error')
  t.notOk(session.destroyed)
})

for (const tls of [false, true]) {
  await t.test(tls ? 'over TLS' : 'in clear text', async (t) => {
    t.jobs = 4   // all of them wait

    void t.test('a client that is frozen is found out by a ping, with all of its streams', { buffered: true }, async (t) => {
      const { app, witness, client } = await open(t, tls, { heartbeat: 200 }, ['/', '/?again'])
      standStill(client)
      await witness.sees(t, 'timeout')
      t.equal(witness.closed.length, 2)
      await untilSockets(app, 0)
    })

    void t.test('a client that answers its pings stays', { buffered: true }, async (t) => {
      const { app, witness, client } = await open(t, tls, { heartbeat: 300, maxAge: 1_200 }, ['/'])
      await witness.sees(t, 'expired')
      await untilSockets(app, 1)   // so does its session
      client.kill('SIGKILL')
    })

    void t.test('a client that takes nothing loses its session with the stream if nothing comes from it', { buffered: true }, async (t) => {
      const { app, witness, client } = await open(t, tls, { heartbeat: 300, writeTimeout: 400, maxBuffered: 2 * MUCH }, ['/'])
      const connection = await witness.open()
      standStill(client)
      connection.chunk(Buffer.alloc(MUCH))
      await witness.sees(t, 'timeout')
      await untilSockets(app, 0)
    })

    void t.test('the app closes in time, whoever takes nothing', { buffered: true }, async (t) => {
      const { app, witness, client } = await open(t, tls, { heartbeat: 0, writeTimeout: 0, drain: 300, maxBuffered: 2 * MUCH }, ['/'])
      const connection = await witness.open()
      standStill(client)
      connection.chunk(Buffer.alloc(MUCH))
      const closed = once(app.server, 'close')
      await app.close()
      await closed
      await witness.sees(t, 'shutdown')
    })
  })
}
