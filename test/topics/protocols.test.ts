/** Publish, resume and gap over every protocol, and injected. */
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { openStream } from '../../testing/index.ts'
import { memoryLog } from '../../index.ts'
import { EventReader } from '../support/event-reader.ts'
import { start, type ServerOptions } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

interface Client { readonly data: string[], readonly gaps: EventReader['gaps'], readonly lastEventId: string, leave: () => void }

interface Way {
  options: ServerOptions
  transport: string
  open: (t: Test, server: { app: FastifyInstance, port: number, origin: string }, lastEventId: string) => Promise<Client>
}

const byNode = (options: ServerOptions, transport: string): Way => ({
  options,
  transport,
  open: (t, { origin }, lastEventId) => subscribe(t, origin, '/', { lastEventId, protocol: options.http2 === true ? 'http2' : 'http1' })
})

const byHttp10 = (tls: boolean): Way => ({
  options: { tls },
  transport: 'response',
  open: async (t, { port }, lastEventId) => {
    const client = await connect(t, port, { tls })
    const reader = new EventReader()
    let head = ''
    client.socket.on('data', (bytes: Buffer) => {
      if (head.includes('\r\n\r\n')) {
        reader.feed(bytes)
        return
      }
      head += bytes.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end !== -1) reader.feed(Buffer.from(head.slice(end + 4), 'latin1'))
    })
    client.write(`GET / HTTP/1.0\r\n${lastEventId === '' ? '' : `Last-Event-ID: ${lastEventId}\r\n`}\r\n`)
    return Object.assign(reader, { leave: () => { client.leave() } })
  }
})

const byInject: Way = {
  options: {},
  transport: 'response',
  open: async (_t, { app }, lastEventId) => {
    const stream = await openStream(app, { url: '/', lastEventId })
    const reader = () => {
      const reader = new EventReader()
      reader.feed(stream.bytes)
      return reader
    }
    return { get data () { return reader().data }, get gaps () { return reader().gaps }, get lastEventId () { return reader().lastEventId }, leave: () => { stream.close() } }
  }
}

const WAYS: Record<string, Way> = {
  'HTTP/1.1': byNode({}, 'http1'),
  'HTTP/1.1 over TLS': byNode({ tls: true }, 'http1'),
  'HTTP/2': byNode({ http2: true }, 'http2'),
  'HTTP/2 over TLS': byNode({ http2: true, tls: true }, 'http2'),
  'HTTP/1.0': byHttp10(false),
  'HTTP/1.0 over TLS': byHttp10(true),
  'inject()': byInject
}

for (const [title, { options, transport, open }] of Object.entries(WAYS)) {
  t.test(title, async (t) => {
    const server = await start(t, (app) => { app.stream('/', { topics: ['a', 'b'] }) }, { ...options, pastelli: { log: memoryLog({ events: 50 }) } })
    const { app, noise } = server
    const first = await open(t, server, '')
    await until(() => first.lastEventId === app.topics.position)
    t.same([...app.connections].map((connection) => connection.transport), [transport])
    const other = await open(t, server, '')
    await until(() => app.connections.size === 2)
    for (let n = 0; n < 20; n++) app.topics.publish(n % 3 === 0 ? 'b' : 'a', `${n} grüße`)
    app.topics.publish('a', 'x'.repeat(200_000))
    app.topics.publish('b', 'last')
    const published = [...Array.from({ length: 20 }, (_, n) => `${n} grüße`), 'x'.repeat(200_000), 'last']
    for (const client of [first, other]) {
      await until(() => client.data.includes('last'))
      t.ok(client.data.join() === published.join(), 'live')
      t.equal(client.lastEventId, app.topics.position)
    }
    first.leave()
    await until(() => app.connections.size === 1)
    for (let n = 0; n < 40; n++) app.topics.publish('a', `away ${n}`)
    const second = await open(t, server, first.lastEventId)
    app.topics.publish('b', 'live again')
    await until(() => second.data.includes('live again'))
    t.same(second.data, [...Array.from({ length: 40 }, (_, n) => `away ${n}`), 'live again'], 'resumed')
    t.same(second.gaps, [])
    second.leave()
    await until(() => app.connections.size === 1)
    for (let n = 0; n < 60; n++) app.topics.publish('a', `gone ${n}`)
    const third = await open(t, server, second.lastEventId)
    const to = app.topics.position
    await until(() => third.gaps.length === 1)
    app.topics.publish('a', 'after the gap')
    await until(() => third.data.includes('after the gap'))
    t.same(third.data, ['after the gap'])
    t.same(third.gaps, [{ reason: 'trimmed', from: second.lastEventId, to }])
    const [connection] = app.connections
    connection?.close()
    third.leave()
    await until(() => app.connections.size === 0)
    t.equal(app.topics.subscribers('a'), 0)
    t.same(noise(), [])
  })
}
