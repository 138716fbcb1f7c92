/** `app.close()`: every stream ends properly and says so, within the deadline, and no client is told 503. */
import { fork } from 'node:child_process'
import { hasSubscribers } from 'node:diagnostics_channel'
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { EventSource } from 'undici'
import { connect } from '../support/socket.ts'
import { build, start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'
import { plainNode } from '../support/plain-node.ts'

await t.test('every stream ends properly with the reason shutdown, and its client is told a jittered retry', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.event('hello') })
    app.get('/bytes', (_request, reply) => { reply.sendChunked().chunk('bytes') })
    app.stream('/half', (_request, reply) => { reply.chunk('data: half of') })
  }, { pastelli: { retry: 1_000 } })
  const witness = new Witness(app)
  const clients = await Promise.all(Array.from({ length: 20 }, async () => (await connect(t, port)).get('/')))
  const bytes = (await connect(t, port)).get('/bytes')
  const half = (await connect(t, port)).get('/half')
  await until(() => witness.opened.length === 22)
  await app.close()
  await witness.sees(t, 'shutdown')
  for (const client of [...clients, bytes, half]) await client.ended()
  const delays = clients.map((client) => {
    t.ok(client.response.complete)
    return Number(/data: hello\n\nretry: (\d+)\n\n$/.exec(client.response.body.toString())?.[1])
  })
  t.ok(delays.every((delay) => delay >= 500 && delay <= 1_500), delays.join(', '))
  t.ok(new Set(delays).size > 10)
  t.equal(bytes.response.body.toString(), 'bytes', 'a stream that is no event stream gets no retry')
  t.match(half.response.body.toString(), /half of$/, 'nor one in the middle of a block')
  t.ok(half.response.complete)
})

await t.test('an app that never listened, or that has no streams, closes at once', async (t) => {
  const { app } = await build(t, (app) => { app.stream('/', () => {}) })
  await app.inject({ url: '/', payloadAsStream: true })
  t.equal(app.connections.size, 1)
  await app.close()
  t.equal(app.connections.counts.shutdown, 1)
  const idle = await start(t, () => {})
  await idle.app.close()
})

await t.test('stalled clients are cut at the deadline', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) }, { pastelli: { drain: 500, maxBuffered: 100_000_000 } })
  const witness = new Witness(app)
  const stalled = (await connect(t, port)).get('/').pause()
  const connection = await witness.open()
  while (connection.queued < 1_000_000) {
    void connection.event('x'.repeat(100_000))
    await new Promise(setImmediate)
  }
  const before = performance.now()
  await app.close()
  t.ok(performance.now() - before >= 490)
  await witness.sees(t, 'shutdown')
  stalled.resume()
  await stalled.ended()
  t.notOk(stalled.response.complete)
})

await t.test('a shutdown that takes longer than a hook of Fastify may is no failure', async (t) => {
  for (const options of [{ pluginTimeout: 500 }, { pluginTimeout: 500, http2: true }]) {
    const { app, port, origin, lines } = await start(t, (app) => { app.stream('/', () => {}) }, { ...options, pastelli: { drain: 700, maxBuffered: 50_000_000 } })
    const witness = new Witness(app)
    if (options.http2 === true) {
      const session = http2.connect(origin)
      t.teardown(() => { session.destroy() })
      session.on('error', () => {})
      session.request({ ':path': '/' }).on('error', () => {})   // and does not read
    } else {
      (await connect(t, port)).get('/').pause()
    }
    const connection = await witness.open()
    while (connection.queued === 0) {
      connection.event('x'.repeat(100_000))
      await new Promise(setImmediate)
    }
    let stopped = 0
    app.server.once('close', () => { stopped++ })
    await app.close()
    await witness.sees(t, 'shutdown')
    t.equal(stopped, 1, 'and the server is closed')
    t.equal(lines('a shutdown can not take longer than pluginTimeout').length, 1, 'the app is told that its deadline can not hold')
  }
})

await t.test('a stream that opens while the server shuts down ends at once, properly', async (t) => {
  let resume: () => void = () => {}
  const { app, port } = await start(t, (app) => {
    app.stream('/late', async (_request, reply) => {
      await new Promise<void>((resolve) => { resume = resolve })
      reply.event('late')
    })
    app.stream('/', () => {})
  })
  const witness = new Witness(app)
  const late = (await connect(t, port)).get('/late')
  await (await connect(t, port)).get('/').until(':\n\n')
  await until(() => resume.name !== 'resume')
  const closing = app.close()
  resume()
  await closing
  await late.until((response) => response.complete)
  t.match(late.response.body.toString(), /^data: late\n\nretry: \d+\n\n$/)
  await witness.sees(t, 'shutdown')
})

await t.test('a stream whose handler has not opened it is cut at the deadline', async (t) => {
  let ended: Promise<string> | undefined
  const { app, port } = await start(t, (app) => {
    app.stream('/', async (_request, reply) => {
      ended = reply.connection.closed
      await new Promise(() => {})
    })
  }, { pastelli: { drain: 100 } })
  const client = (await connect(t, port)).get('/')
  await until(() => ended !== undefined)
  await app.close()
  t.equal(await ended, 'shutdown')
  await client.ended()
  t.equal(client.text, '')
})

await t.test('a stalled client with more than maxBuffered queued ends with shutdown, too', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) }, { pastelli: { drain: 100 } })
  const witness = new Witness(app)
  const stalled = (await connect(t, port)).get('/').pause()
  const connection = await witness.open()
  void connection.event('x'.repeat(20_000_000))
  await until(() => connection.queued > 1_048_576)
  await app.close()
  await witness.sees(t, 'shutdown')
  stalled.leave()
})

async function refuses (port: number, host: string): Promise<boolean> {
  const socket = net.connect(port, host)
  return await new Promise((resolve) => {
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.on('error', () => { resolve(true) })
  })
}

// A machine whose `localhost` has two addresses, as most have; on Linux all of 127.0.0.0/8 is loopback.
const HOSTS = ['127.0.0.1', '127.0.0.2']

async function listenOnBoth (t: Test): Promise<{ app: FastifyInstance, port: number }> {
  const { app } = await build(t, (app) => { app.stream('/', (_request, reply) => { reply.event('hello') }) })
  const { lookup } = dns
  t.teardown(() => { dns.lookup = lookup })
  dns.lookup = ((name: string, ...rest: unknown[]) => {
    const done = rest.at(-1) as (error: null, ...found: unknown[]) => void
    if (name !== 'localhost') Reflect.apply(lookup, dns, [name, ...rest])
    else if ((rest[0] as { all?: boolean }).all === true) done(null, HOSTS.map((address) => ({ address, family: 4 })))
    else done(null, HOSTS[0], 4)
  }) as typeof lookup
  await app.listen({ host: 'localhost', port: 0 })
  t.equal(app.addresses().length, 2)
  return { app, port: (app.server.address() as net.AddressInfo).port }
}

await t.test('listening ends before the first stream does, on both addresses of localhost', async (t) => {
  const { app, port } = await listenOnBoth(t)
  const clients = await Promise.all(HOSTS.map(async (host) => (await connect(t, port, { host })).get('/')))
  for (const client of clients) await client.until('hello')
  const kept = await Promise.all(HOSTS.map(async (host) => (await connect(t, port, { host })).get('/nowhere')))
  for (const client of kept) await client.until('404')
  const refused = new Promise<boolean[]>((resolve) => {
    app.connections.once('close', () => { resolve(Promise.all(HOSTS.map(async (host) => await refuses(port, host)))) })
  })
  await app.close()
  t.same(await refused, [true, true])
  for (const client of kept) {
    await client.ended()
    t.notMatch(client.text, '503', 'an idle kept-alive socket is closed, so no 503 comes over it')
  }
})

for (const tls of [false, true]) {
  await t.test(`sockets that browsers open in advance, over ${tls ? 'TLS' : 'TCP'}, do not hold the server up, and are never told 503`, async (t) => {
    const { app, port } = await start(t, (app) => { app.stream('/', (_request, reply) => { reply.event('hello') }) }, { tls })
    const silent = await connect(t, port)
    const spare = await connect(t, port, { tls })
    const used = (await connect(t, port, { tls })).get('/')
    await used.until('hello')
    app.connections.once('close', () => { spare.get('/') })
    await app.close()
    await used.ended()
    t.ok(used.response.complete)
    for (const client of [silent, spare]) {
      await client.ended()
      t.equal(client.text, '')
    }
  })
}

for (const tls of [false, true]) {
  await t.test(`a socket whose answer was under way ends behind it, over ${tls ? 'TLS' : 'TCP'}: no 503 comes over it, and it does not hold the server up`, async (t) => {
    let answer = () => {}
    const { app, port } = await start(t, (app) => {
      app.get('/slow', async (_request, reply) => {
        await new Promise<void>((resolve) => { answer = resolve })
        return await reply.send('at last')
      })
      app.stream('/', () => {})
    }, { tls })
    const slow = await connect(t, port, { tls })
    let isAsked = false
    app.server.once('request', () => { isAsked = true })
    slow.get('/slow')
    await until(() => isAsked, 'the request is there')
    const closing = app.close()
    await until(() => !app.server.listening, 'the server listens no more')
    answer()
    await slow.until('at last')
    slow.get('/')
    await slow.ended()
    t.notMatch(slow.text, '503')
    await closing
    t.notOk(hasSubscribers('http.server.response.finish'), 'nothing of it is left in the process')
  })
}

await t.test('a socket that is opened in advance does not hold an HTTP/2 server up either', async (t) => {
  for (const tls of [false, true]) {
    const { app, port } = await start(t, (app) => { app.stream('/', () => {}) }, { http2: true, tls })
    const silent = await connect(t, port)
    await app.close()
    await silent.ended()
  }
})

await t.test('stray bytes are cut on the second address of localhost too', async (t) => {
  const { app, port } = await listenOnBoth(t)
  for (const host of HOSTS) {
    const client = (await connect(t, port, { host })).get('/')
    await client.until('hello')
    client.write('stray\r\n\r\n')
    await client.ended()
    t.notMatch(client.text, '400', host)
  }
  t.equal(app.connections.counts.client, 2)
})

await t.test('other servers of the process go on answering bad requests by themselves', async (t) => {
  await listenOnBoth(t)
  const other = createServer((_request, response) => { response.end('hi') }).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as net.AddressInfo
  await (await connect(t, port)).get('/').until('hi')
  const client = (await connect(t, port)).write('stray\r\n\r\n')
  await client.ended()
  t.match(client.text, '400')
})

await t.test('over HTTP/2 sessions are told to go away, and idle ones do not hold the server up', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', (_request, reply) => { reply.event('hello') }) }, { http2: true })
  const witness = new Witness(app)
  const [busy, idle] = [http2.connect(origin), http2.connect(origin)]
  const stream = busy.request({ ':path': '/' })
  let text = ''
  stream.on('data', (bytes: Buffer) => { text += bytes.toString() })
  await once(idle, 'remoteSettings')
  await until(() => text.includes('hello'))
  const goneAway = Promise.all([busy, idle].map(async (session) => await once(session, 'close')))
  await app.close()
  await goneAway
  await witness.sees(t, 'shutdown')
  t.match(text, /hello\n\nretry: \d+\n\n$/)
  t.equal(stream.rstCode, 0)
})

await t.test('an EventSource comes back to the next process, and loses nothing but the time between', async (t) => {
  const serve = async (port: number, name: string) => {
    const { app } = await build(t, (app) => { app.stream('/', (_request, reply) => { reply.event(name) }) }, { pastelli: { retry: 100 } })
    await app.listen({ host: '127.0.0.1', port })
    return app
  }
  const first = await serve(0, 'first')
  const { port } = first.server.address() as net.AddressInfo
  const source = new EventSource(`http://127.0.0.1:${port}/`)
  t.teardown(() => { source.close() })
  const heard: string[] = []
  source.addEventListener('message', ({ data }) => { heard.push(String(data)) })
  await until(() => heard.includes('first'))
  await first.close()
  const second = await serve(port, 'second')
  await until(() => heard.includes('second'))
  t.not(source.readyState, EventSource.CLOSED)
  source.close()
  await second.close()
})

// Clients in a process of their own: it has its own descriptors.
async function crowd (t: Test, port: number, count: number, stalled: number): Promise<{ ended: () => Promise<{ proper: number, answered503: number }> }> {
  const child = fork(new URL('../support/crowd.js', import.meta.url), [String(port), String(count), String(stalled)], { env: plainNode() })
  t.teardown(() => { child.kill('SIGKILL') })
  await once(child, 'message')
  return {
    ended: async () => {
      const told = once(child, 'message')
      child.send('report')
      return (await told)[0] as { proper: number, answered503: number }
    }
  }
}

await t.test('5,000 open streams, some stalled, end within the deadline', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/', () => {}) }, { pastelli: { drain: 5_000, maxBuffered: 100_000_000 }, logger: false } as never)
  const clients = await crowd(t, port, 5_000, 20)
  await until(() => app.connections.size === 5_000, '5,000 streams are open')
  for (const connection of [...app.connections].slice(0, 20)) void connection.event('x'.repeat(8_000_000))
  const before = performance.now()
  await app.close()
  const took = performance.now() - before
  t.equal(app.connections.counts.shutdown, 5_000)
  t.ok(took < 8_000, `it took ${Math.round(took)} ms, of which 5,000 are for the stalled`)
  t.same(await clients.ended(), { proper: 4_980, answered503: 0 })
})
