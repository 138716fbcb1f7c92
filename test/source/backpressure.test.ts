/** A source is asked for more only when there is room, over every protocol; and one that always has more starves nobody. */
import http2 from 'node:http2'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Connection, event, type StreamOptions } from '../../index.ts'
import { CERTIFICATE, start, type ServerOptions } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const ITEM = 'x'.repeat(5_000)
const SIZE = ITEM.length + 'data: \n\n'.length
const COUNT = 1_500

/** Always has more; remembers how much was queued when it was asked. */
class Greedy {
  connection: Connection | null = null
  asked = 0
  most = 0

  ask (): IteratorResult<string> {
    this.most = Math.max(this.most, this.connection?.queued ?? 0)
    return this.asked++ < COUNT ? { done: false, value: ITEM } : { done: true, value: undefined }
  }
}

const KINDS: Record<string, (greedy: Greedy) => unknown> = {
  'a sync iterator': (greedy) => ({ [Symbol.iterator]: () => ({ next: () => greedy.ask() }) }),
  'an async iterator': (greedy) => ({ [Symbol.asyncIterator]: () => ({ next: async () => greedy.ask() }) }),
  'a web stream': (greedy) => new ReadableStream({
    pull (controller) {
      const { done, value } = greedy.ask()
      if (done === true) controller.close()
      else controller.enqueue(value)
    }
  }, { highWaterMark: 0 }),
  'a Readable': (greedy) => new Readable({
    objectMode: true,
    highWaterMark: 1,
    read () { this.push(greedy.ask().value ?? null) }
  })
}

/** A client that does not read until it is told to, and counts what it gets. */
interface Client { received: () => number, resume: () => void }

const overSocket = (version: string, tls: boolean) => async (t: Test, port: number): Promise<Client> => {
  const client = await connect(t, port, { tls })
  let received = 0
  client.socket.removeAllListeners('data').on('data', (bytes: Buffer) => { received += bytes.length })
  client.pause().write(`GET / HTTP/${version}\r\nHost: localhost\r\n\r\n`)
  return { received: () => received, resume: () => { client.resume() } }
}

const overHttp2 = (tls: boolean) => async (t: Test, port: number): Promise<Client> => {
  const session = http2.connect(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`, { ca: CERTIFICATE.cert })
  t.teardown(() => { session.destroy() })
  let received = 0
  const stream = session.request({ ':path': '/' })
  return { received: () => received, resume: () => { stream.on('data', (bytes: Buffer) => { received += bytes.length }) } }
}

const PROTOCOLS: Record<string, [options: ServerOptions, client: (t: Test, port: number) => Promise<Client>]> = {
  'HTTP/1.1': [{}, overSocket('1.1', false)],
  'HTTP/1.1 over TLS': [{ tls: true }, overSocket('1.1', true)],
  'HTTP/1.0': [{}, overSocket('1.0', false)],
  'HTTP/2': [{ http2: true }, overHttp2(false)],
  'HTTP/2 over TLS': [{ http2: true, tls: true }, overHttp2(true)]
}

for (const [protocol, [options, client]] of Object.entries(PROTOCOLS)) {
  t.test(`over ${protocol}, a client that does not read stops the source`, async (t) => {
    for (const [kind, make] of Object.entries(KINDS)) {
      for (const highWaterMark of protocol === 'HTTP/1.1' ? [1, 100_000] : [100_000]) {
        const greedy = new Greedy()
        const { app, port, noise } = await start(t, (app) => {
          app.stream('/', { highWaterMark }, (_request, { connection }) => {
            greedy.connection = connection
            return make(greedy)
          })
        }, options)
        const witness = new Witness(app)
        const { received, resume } = await client(t, port)
        const connection = await witness.open()
        for (let before = 0; greedy.asked !== before || connection.queued === 0;) {
          before = greedy.asked
          await delay(30)
        }
        t.ok(greedy.asked < COUNT, `${kind} was stopped after ${greedy.asked} items`)
        t.ok(connection.queued <= highWaterMark + 2 * SIZE, `with ${connection.queued} bytes queued`)
        resume()
        await until(() => received() >= COUNT * SIZE, 'all of it arrives')
        t.ok(greedy.most <= highWaterMark + SIZE, `when it was asked no more than ${greedy.most} bytes were queued, highWaterMark is ${highWaterMark}`)
        await witness.sees(t, 'server')
        t.same(noise(), [])
      }
    }
  })
}

const LOOPS: Record<string, [options: StreamOptions, item: unknown]> = {
  'events to a client that reads': [{}, { a: 1 }],
  'large events': [{}, 'x'.repeat(10_000)],
  bytes: [{}, Buffer.from('data: x\n\n')],
  'empty bytes': [{}, new Uint8Array()],
  lines: [{ formats: ['ndjson'] }, { a: 1 }],
  'nothing that its format can say': [{ formats: ['ndjson'] }, event({ comment: 'aside' })],
  'empty text': [{ formats: ['text'] }, ''],
  'what is collected': [{ formats: ['json'], maxBuffered: 2 ** 30 }, ''],
  'what is collected, and is nothing': [{ formats: ['json'] }, event({ id: 1 })]
}

// Long enough that timers would be missed if they did not run.
const LOOP = 300

for (const [title, [options, item]] of Object.entries(LOOPS)) {
  for (const isAsync of [false, true]) {
    t.test(`${isAsync ? 'an async' : 'a'} loop of ${title} starves nobody`, async (t) => {
      let items = 0
      let turns = 0
      let end = 0
      const isOver = () => {
        if (end === 0) end = performance.now() + LOOP
        return items++ % 16 === 0 && performance.now() > end
      }
      const { port, app } = await start(t, (app) => {
        app.stream('/', options, isAsync
          ? async function * () { while (!isOver()) yield item }
          : function * () { while (!isOver()) yield item })
      })
      const timer = setInterval(() => { if (end !== 0 && performance.now() < end) turns++ }, 1)
      t.teardown(() => { clearInterval(timer) })
      const client = (await connect(t, port)).get('/')
      client.socket.removeAllListeners('data').resume()   // it would keep all that it gets
      await until(() => end !== 0 && performance.now() > end && app.connections.size === 0)
      t.ok(items > 1_000, `${items} items`)
      t.ok(turns >= LOOP / 100, `timers ran in ${turns} turns`)
    })
  }
}
