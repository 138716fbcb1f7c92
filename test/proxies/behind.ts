/** What holds of a server behind any proxy: with the file that docs/proxies.md shows, and with no more than the proxy needs. */
import type { FastifyInstance } from 'fastify'
import tap, { type Test } from 'tap'
import { memoryLog, type PastelliOptions } from '../../index.ts'
import { open, overWebSocket } from '../support/client.ts'
import { type Proxy, type ProxyName, startBare, startShown, withoutProxy } from '../support/proxy.ts'
import { type Server, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { type Protocol, subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

interface Scene { server: Server, witness: Witness, proxy: Proxy }

// Longer than any test, ms: what is seen is seen without a heartbeat.
const NEVER = 600_000

// What an event may take, ms. The fastest of a few counts: the others may have waited for this machine.
const PROMPT = 100
const TRIES = 5

const TIMEOUT = 1   // of the proxy, s
const BEAT = 300    // ms

/** @param gzip what makes the proxy compress whatever it can, were it asked to */
export async function behind (name: ProxyName, gzip: string): Promise<void> {
  const skip = withoutProxy(name)

  const scene = async (t: Test, startProxy: typeof startBare, { pastelli, ...options }: { timeout?: number, more?: string, pastelli?: PastelliOptions } = {}): Promise<Scene> => {
    const server = await start(t, routes, { trustProxy: '127.0.0.1', pastelli: { heartbeat: NEVER, ...pastelli } })
    return { server, witness: new Witness(server.app), proxy: await startProxy(t, name, { ports: [server.port], ...options }) }
  }

  const over = async (t: Test, proxy: Proxy, protocol: Protocol, path: string, headers: Record<string, string> = {}): Promise<Subscriber> =>
    await subscribe(t, protocol === 'http1' ? proxy.origin : proxy.secureOrigin, path, { protocol, headers })

  for (const protocol of ['http1', 'http2'] as const) {
    await tap.test(`behind ${name}, over ${protocol}, the head comes before the first event, and an event at once`, { skip }, async (t) => {
      const { server, proxy } = await scene(t, startShown)
      t.equal((await over(t, proxy, protocol, '/quiet')).status, 200)
      const client = await over(t, proxy, protocol, '/feed')
      const times = await latencies(server, client)
      t.ok(Math.min(...times) < PROMPT, `${times.join(', ')} ms`)
      t.notOk(client.isEnded)
    })

    await tap.test(`behind ${name}, over ${protocol}, a client that leaves is seen to leave`, { skip }, async (t) => {
      const { server, witness, proxy } = await scene(t, startShown)
      const quiet = await over(t, proxy, protocol, '/quiet')
      const client = await over(t, proxy, protocol, '/feed')
      await latencies(server, client)
      quiet.leave()
      client.leave()
      await witness.sees(t, 'client')
    })

    await tap.test(`behind ${name} that compresses, over ${protocol}, an event comes at once`, { skip }, async (t) => {
      const { server, proxy } = await scene(t, startShown, { more: gzip })
      const client = await over(t, proxy, protocol, '/feed', { 'accept-encoding': 'gzip' })
      const times = await latencies(server, client)
      t.ok(Math.min(...times) < PROMPT, `${times.join(', ')} ms`)
    })

    for (const coding of ['gzip', 'br'] as const) {
      await tap.test(`behind ${name} that compresses, over ${protocol}, what is compressed in ${coding} already comes as it is, and at once`, { skip }, async (t) => {
        const { server, proxy } = await scene(t, startShown, { more: gzip, pastelli: { compression: [coding] } })
        const client = await over(t, proxy, protocol, '/feed', { 'accept-encoding': coding })
        t.equal(client.headers['content-encoding'], coding)
        const times = await latencies(server, client)
        t.ok(Math.min(...times) < PROMPT, `${times.join(', ')} ms`)
        t.equal(client.failure, null)
      })
    }
  }

  await tap.test(`behind ${name}, heartbeats keep a stream open for longer than the proxy waits`, { skip }, async (t) => {
    const { server, proxy } = await scene(t, startShown, { timeout: TIMEOUT, pastelli: { heartbeat: BEAT } })
    const idle = [await over(t, proxy, 'http1', '/feed'), await over(t, proxy, 'http2', '/feed')]
    const cut = [await over(t, proxy, 'http1', '/no-heartbeat'), await over(t, proxy, 'http2', '/no-heartbeat')]
    for (const client of cut) await client.ended()
    t.same(idle.map(({ isEnded }) => isEnded), [false, false], 'those without heartbeats were cut, these are not')
    const beats = () => idle.map(({ text }) => text.split('\n\n').length)
    const before = beats()
    await until(() => beats().every((count, n) => count - before[n]! > 2 * TIMEOUT * 1_000 / BEAT) || idle.some(({ isEnded }) => isEnded))
    t.same(idle.map(({ isEnded }) => isEnded), [false, false], 'nor when nothing else happens for two timeouts more')
    server.app.topics.publish('a', 'late')
    for (const client of idle) await client.until('data: late\n\n')
  })

  await tap.test(`behind ${name} as it is, events come while the stream is open, and who leaves is seen`, { skip }, async (t) => {
    const { server, witness, proxy } = await scene(t, startBare, { pastelli: { heartbeat: BEAT } })
    for (const protocol of ['http1', 'http2'] as const) {
      const client = await over(t, proxy, protocol, '/feed')
      const times = await latencies(server, client)
      // haproxy may hold back what it sends over HTTP/1.1 for 200 ms, unless it is told not to.
      if (name === 'nginx' || protocol === 'http2') t.ok(Math.min(...times) < PROMPT, `${times.join(', ')} ms`)
      client.leave()
    }
    await witness.sees(t, 'client')
  })

  await tap.test(`behind ${name} as it is, a client of HTTP/1.0 reads a stream`, { skip }, async (t) => {
    const { witness, proxy, server } = await scene(t, startBare, { pastelli: { heartbeat: BEAT } })
    const client = await connect(t, proxy.port)
    client.write('GET /feed HTTP/1.0\r\n\r\n')
    await client.until('id: ')
    t.notOk('transfer-encoding' in client.response.headers)
    server.app.topics.publish('a', 'to the old')
    await client.until('data: to the old\n\n')
    client.leave()
    await witness.sees(t, 'client')
  })

  await tap.test(`behind ${name} as it is, who reads nothing stops the source, not the proxy's disk`, { skip }, async (t) => {
    const { server, proxy } = await scene(t, startBare)
    const client = await connect(t, proxy.port)
    client.get('/flood')
    await client.head()
    client.pause()
    const [connection] = server.app.connections
    let bytes = -1
    let since = 0
    await until(() => {
      if (connection!.bytes !== bytes) since = performance.now()
      bytes = connection!.bytes
      return connection!.queued > 0 && performance.now() - since > 200
    }, 'nothing is taken any more')
    t.ok(bytes < 32 * 2 ** 20, `${bytes} bytes`)
    client.resume()
    await until(() => connection!.bytes > bytes + 2 ** 20, 'it goes on when it is read')
  })

  await tap.test(`behind ${name}, a POST has its body and its answer as a stream`, { skip }, async (t) => {
    const { proxy } = await scene(t, startShown)
    const response = await fetch(`${proxy.origin}/answers`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"n":3}' })
    t.equal(await response.text(), 'data: 0\n\ndata: 1\n\ndata: 2\n\n')
  })

  await tap.test(`behind ${name}, a limit of one client counts the client, not the proxy`, { skip }, async (t) => {
    const { proxy } = await scene(t, startShown, { pastelli: { maxConnectionsPerKey: 1 } })
    const ask = async (localAddress: string) => {
      const client = await connect(t, proxy.port, { localAddress })
      const { status } = await client.get('/feed').head()
      return status
    }
    t.equal(await ask('127.0.0.1'), 200)
    t.equal(await ask('127.0.0.2'), 200)
    t.equal(await ask('127.0.0.2'), 429)
  })

  await tap.test(`behind ${name}, a WebSocket carries messages both ways, and its codes, and who leaves is seen`, { skip }, async (t) => {
    const { server, witness, proxy } = await scene(t, startShown)
    for (const origin of [proxy.origin, proxy.secureOrigin]) {
      const socket = await dial(t, { origin }, '/socket', { headers: { origin } })
      socket.send('größer')
      t.equal(await socket.raw(), 'größer')
      socket.send(Buffer.alloc(100_000, 7))
      t.same(await socket.raw(), Buffer.alloc(100_000, 7))
      socket.send('bye')
      t.match(await socket.closed, { code: 4000 })
    }
    const refused = await dial(t, proxy, '/socket', { opens: false, headers: { origin: 'https://elsewhere.example' } })
    t.equal(await refused.refused, 403)
    await until(() => witness.closed.length === 2)
    const leaving = await dial(t, proxy, '/socket')
    await until(() => server.app.connections.size === 1)
    leaving.ws.terminate()
    await until(() => witness.closed.length === 3)
    t.equal(witness.closed[2]?.reason, 'client')
  })

  await tap.test(`behind ${name}, pings keep a WebSocket open for longer than the proxy waits`, { skip }, async (t) => {
    const { proxy } = await scene(t, startShown, { timeout: TIMEOUT, pastelli: { heartbeat: BEAT } })
    const socket = await dial(t, proxy, '/socket')
    let pings = 0
    socket.ws.on('ping', () => { pings++ })
    const without = await dial(t, proxy, '/no-heartbeat')
    t.match(await without.closed, { code: 1006 }, 'the other one, without heartbeats, is cut')
    await until(() => pings > 2 * TIMEOUT * 1_000 / BEAT)
    socket.send('still there')
    t.equal(await socket.raw(), 'still there')
  })

  for (const transport of ['fetch', 'websocket'] as const) {
    await tap.test(`behind ${name}, when one of two processes ends, its clients go on at the other one where they were, by ${transport}`, { skip }, async (t) => {
      const log = memoryLog()
      const nodes = [await start(t, routes, { pastelli: { log } }), await start(t, routes, { pastelli: { log } })] as const
      const proxy = await startShown(t, name, { ports: [nodes[0].port, nodes[1].port] })
      const clients = Array.from({ length: 6 }, () => open(t, `${proxy.origin}/feed`, transport === 'fetch' ? {} : overWebSocket))
      await until(() => nodes[0].app.connections.size + nodes[1].app.connections.size === 6)
      t.ok(nodes[0].app.connections.size > 0 && nodes[1].app.connections.size > 0, 'both have some')
      const published: number[] = []
      const publish = (count: number) => {
        for (let n = 0; n < count; n++) {
          nodes[1].app.topics.publish('a', published.length)
          published.push(published.length)
        }
      }
      await until(() => clients.every(({ stream }) => stream.lastEventId))
      publish(50)
      const closed = nodes[0].app.close()
      publish(50)
      await closed
      publish(50)
      await until(() => nodes[1].app.connections.size === 6, 'all are at the other one')
      publish(50)
      for (const client of clients) await client.sees(...published)
      t.same([...nodes[0].noise(), ...nodes[1].noise()], [])
    })
  }
}

function routes (app: FastifyInstance): void {
  app.stream('/feed', { topics: 'a', websocket: {} })
  app.stream('/quiet', {}, () => {})
  app.stream('/no-heartbeat', { heartbeat: 0, websocket: { init: () => {} } }, () => {})
  app.stream('/flood', { formats: ['text'] }, async function * () { for (;;) yield 'x'.repeat(10_000) })
  app.stream<{ Body: { n: number } }>('/answers', { method: 'POST' }, async function * ({ body }) { for (let n = 0; n < body.n; n++) yield n })
  app.stream('/socket', {
    websocket: {
      handle: (message) => message === 'bye' ? { close: 4000 } : { reply: message }
    }
  })
}

// How long events take to this client, which is the last one that came, ms.
async function latencies ({ app }: Server, client: Subscriber): Promise<number[]> {
  await client.until('id: ')
  const times: number[] = []
  for (let n = 0; n < TRIES; n++) {
    const at = performance.now()
    const id = app.topics.publish('a', `event ${n}`)
    await client.until(`id: ${String(await id)}`)
    times.push(Math.round(performance.now() - at))
  }
  return times
}
