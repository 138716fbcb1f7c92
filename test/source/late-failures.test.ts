/** What a source fails with when its stream is over has nobody left to hear it but the log, which hears it once. */
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Connection } from '../../index.ts'
import { type Server, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Observer { next: (item: unknown) => void, error: (error: unknown) => void }

const LATE = 'the source of a stream failed after the stream'

const broken = () => new Error('broken at the end')
const fail = () => { throw broken() }
const aborted = (signal: AbortSignal) => new Promise<never>((_resolve, reject) => {
  signal.addEventListener('abort', () => { reject(signal.reason) }, { once: true })
})

/** A stream with this source, whose client left when it had the first item. */
async function leave (t: Test, make: (connection: Connection) => unknown): Promise<Server> {
  const server = await start(t, (app) => { app.stream('/', (_request, { connection }) => make(connection)) })
  const witness = new Witness(server.app)
  const client = (await connect(t, server.port)).get('/')
  await client.until('first')
  client.reset()
  await witness.sees(t, 'client')
  return server
}

const FAILING: Record<string, (connection: Connection) => unknown> = {
  'a generator whose `finally` throws': async function * () {
    try {
      for (;;) yield 'first'
    } finally {
      fail()
    }
  },
  'a sync generator whose `finally` throws': function * () {
    try {
      for (;;) yield 'first'
    } finally {
      fail()
    }
  },
  'a generator that was waiting, and whose `finally` throws': async function * ({ signal }) {
    try {
      yield 'first'
      await aborted(signal)
    } finally {
      fail()
    }
  },
  'an iterator whose `return` throws at once': () => {
    const items = (async function * () { for (;;) yield 'first' })()
    return { [Symbol.asyncIterator]: () => ({ next: () => items.next(), return: () => { throw broken() } }) }
  },
  'a Readable that fails at `destroy` while it is waited for': () => {
    const items = ['first']
    return new Readable({ objectMode: true, read () { if (items.length !== 0) this.push(items.pop()) }, destroy (_error, done) { done(broken()) } })
  },
  'a Readable that fails at `destroy` while it waits for room': () => new Readable({
    objectMode: true,
    read () { this.push('first'.padEnd(50_000)) },
    destroy (_error, done) { done(broken()) }
  }),
  'a web stream whose `cancel` throws': () => new ReadableStream({
    start (controller) { controller.enqueue('first') },
    cancel () { throw broken() }
  }),
  'an observable whose unsubscription throws': () => ({
    subscribe: (observer: Observer) => {
      observer.next('first')
      return () => { throw broken() }
    }
  }),
  'an observable that fails when it is told': () => ({
    subscribe: (observer: Observer) => {
      observer.next('first')
      return () => { observer.error(broken()) }
    }
  })
}

for (const [title, make] of Object.entries(FAILING)) {
  t.test(title, async (t) => {
    const { logged, noise } = await leave(t, make)
    t.equal((await logged(LATE)).err?.message, 'broken at the end')
    await delay(10)
    t.equal(noise().length, 1, 'once')
  })
}

t.test('what the end itself does to a source that waits is no failure', async (t) => {
  const cases: Record<string, (connection: Connection) => unknown> = {
    'the reason of the signal': async function * ({ signal }) {
      yield 'first'
      await aborted(signal)
    },
    'the error that Node makes of it': async function * ({ signal }) {
      yield 'first'
      await delay(60_000, null, { signal })
    },
    'an error that has it as its cause': async function * ({ signal }) {
      yield 'first'
      await aborted(signal).catch((cause: unknown) => { throw new Error('no answer', { cause }) })
    },
    'a Readable that is read from': () => {
      const items = ['first']
      return new Readable({ objectMode: true, read () { if (items.length !== 0) this.push(items.pop()) } })
    }
  }
  for (const [title, make] of Object.entries(cases)) {
    const { noise } = await leave(t, make)
    await delay(10)
    t.same(noise(), [], title)
  }
})

t.test('a source that ends the connection, and then throws', async (t) => {
  const closing: Array<(connection: Connection) => unknown> = [
    function * (connection) {
      yield 'first'
      connection.close()
      throw broken()
    },
    async function * (connection) {
      yield 'first'
      connection.close()
      throw broken()
    },
    function * (connection) {
      yield 'first'
      yield {
        toJSON: () => {
          connection.close()
          throw broken()
        }
      }
    },
    (connection) => ({
      subscribe: (observer: Observer) => {
        observer.next('first')
        connection.close()
        throw broken()
      }
    })
  ]
  for (const make of closing) {
    const { port, logged, noise, app } = await start(t, (app) => { app.stream('/', (_request, { connection }) => make(connection)) })
    const { body } = await (await connect(t, port)).get('/').answer()
    t.equal(body.toString(), 'data: first\n\n')
    t.match((await logged(LATE)).err?.message, /broken at the end$/)
    t.equal(noise().length, 1)
    t.equal(app.connections.counts.server, 1)
  }
})

t.test('a Readable that was never read from may fail as well, and nothing crashes', async (t) => {
  const readables: Array<() => Readable> = [
    () => new Readable({ read () {}, destroy (_error, done) { done(broken()) } }),
    () => createReadStream('/no/such/file')
  ]
  for (const make of readables) {
    let isHandling = false
    const { port, logged, noise } = await start(t, (app) => {
      app.stream('/', async (_request, { connection }) => {
        isHandling = true
        await connection.closed
        return make()
      })
    })
    const client = (await connect(t, port)).get('/')
    await until(() => isHandling)
    client.reset()
    t.ok(await logged(LATE))
    t.equal(noise().length, 1)
  }
})
