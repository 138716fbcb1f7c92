/** When the connection ends, its source is told at once, whatever it is doing, and nothing is left behind. */
import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { AnySource, CloseReason, Connection, PastelliOptions } from '../../index.ts'
import { type Server, start } from '../support/server.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Observer { next: (item: unknown) => void }

/** How a source goes on behind its first item: it has nothing more, or always more than there is room for. */
type Pace = 'blocked' | 'fast'

const BIG = 'x'.repeat(30_000)
const never = new Promise<never>(() => {})
const soon = async () => { await new Promise(setImmediate) }

async function * generate (pace: Pace): AsyncGenerator<string, void, undefined> {
  yield 'first'
  if (pace === 'blocked') await never
  for (;;) yield BIG
}

function toWeb (pace: Pace, told: () => void): ReadableStream<Uint8Array> {
  let hasBegun = false
  return new ReadableStream({
    pull (controller) {
      if (pace === 'blocked' && hasBegun) return never
      controller.enqueue(Buffer.from(hasBegun ? BIG : 'first'))
      hasBegun = true
    },
    cancel: told
  })
}

function toReadable (pace: Pace, told: () => void, objectMode: boolean): Readable {
  let hasBegun = false
  return new Readable({
    objectMode,
    read () {
      if (pace === 'fast' || !hasBegun) this.push(hasBegun ? BIG : 'first')
      hasBegun = true
    },
    destroy (error, done) {
      told()
      done(error)
    }
  })
}

// It can't be slowed: only one that has nothing more stays below maxBuffered.
const observe = (told: () => void, end: (unsubscribe: () => void) => unknown) => ({
  subscribe: (observer: Observer) => {
    observer.next('first')
    return end(told)
  }
})

const KINDS: Record<string, (pace: Pace, told: () => void) => unknown> = {
  'an async generator': (pace, told) => {
    const generator = generate(pace)
    const back = generator.return.bind(generator)
    generator.return = (value) => {
      told()
      return back(value)
    }
    return generator
  },
  'an async iterator': (pace, told) => {
    const generator = generate(pace)
    return { [Symbol.asyncIterator]: () => ({ next: () => generator.next(), return: told }) }
  },
  'a Readable of objects': (pace, told) => toReadable(pace, told, true),
  'a Readable of bytes': (pace, told) => toReadable(pace, told, false),
  'a web stream': toWeb,
  'a Response': (pace, told) => new Response(toWeb(pace, told)),
  'a sync generator': (_pace, told) => (function * () {
    try {
      yield 'first'
      for (;;) yield BIG
    } finally {
      told()
    }
  })(),
  'an observable with a function': (_pace, told) => observe(told, (unsubscribe) => unsubscribe),
  'an observable with an object': (_pace, told) => observe(told, (unsubscribe) => ({ unsubscribe }))
}

const PACES: Record<string, Pace[]> = { 'a sync generator': ['fast'], 'an observable with a function': ['blocked'], 'an observable with an object': ['blocked'] }

interface Scene extends Server { client: RawClient, connection: Connection, witness: Witness, told: () => number, piped: () => boolean | null }

/** A stream that is fed, whose client has its first item. */
async function open (t: Test, make: (told: () => void, connection: Connection) => unknown, options: PastelliOptions = {}): Promise<Scene> {
  let told = 0
  let piped: boolean | null = null
  const server = await start(t, (app) => {
    app.stream('/', (_request, { connection }) => {
      void connection.pipe(make(() => { told++ }, connection) as AnySource).then((all) => { piped = all })
    })
  }, { pastelli: options })
  const witness = new Witness(server.app)
  const client = (await connect(t, server.port)).get('/')
  const connection = await witness.open()
  await client.until('first')
  return { ...server, client, connection, witness, told: () => told, piped: () => piped }
}

// The client takes no more, beyond what the two sockets hold, and no more is sent.
async function filled (connection: Connection): Promise<void> {
  for (let before = 0; connection.queued === 0 || connection.bytes !== before;) {
    before = connection.bytes
    await delay(50)
  }
}

// What there is to see in the turn in which the signal aborts.
async function aborted ({ connection, told, piped }: Scene): Promise<{ told: number, piped: boolean | null }> {
  return await new Promise((resolve) => {
    connection.signal.addEventListener('abort', () => {
      setImmediate(() => { resolve({ told: told(), piped: piped() }) })
    }, { once: true })
  })
}

for (const [kind, make] of Object.entries(KINDS)) {
  t.test(kind, async (t) => {
    for (const pace of PACES[kind] ?? ['blocked', 'fast']) {
      t.test(pace === 'blocked' ? 'is told while somebody waits for its next item' : 'is told while it waits for room', async (t) => {
        const scene = await open(t, (told) => make(pace, told))
        const { client, connection, witness } = scene
        if (pace === 'fast') {
          client.pause()
          await filled(connection)
        }
        const ending = aborted(scene)
        client.reset()
        t.same(await ending, { told: 1, piped: false }, 'it is told at once, and the promise of pipe settles')
        await witness.sees(t, 'client')
        t.equal(scene.told(), 1, 'once')
        t.equal(getEventListeners(connection.signal, 'abort').length, 0, 'nobody listens any more')
        t.same(scene.noise(), [])
      })
    }
  })
}

const ENDS: Record<string, [reason: CloseReason, end: (scene: Scene) => unknown]> = {
  'the app closes': ['shutdown', ({ app }) => app.close()],
  'the connection is closed': ['server', ({ connection }) => { connection.close() }],
  'the connection is cut': ['error', ({ connection }) => { connection.destroy('error') }],
  'its time is over': ['expired', ({ connection }) => { connection.expire(0) }]
}

for (const [title, [reason, end]] of Object.entries(ENDS)) {
  t.test(`a source that is waited for is told when ${title}`, async (t) => {
    const scene = await open(t, (told) => toWeb('blocked', told))
    const ending = aborted(scene)
    void end(scene)
    t.same(await ending, { told: 1, piped: false })
    await scene.witness.sees(t, reason)
    t.same(scene.noise(), [])
  })
}

t.test('an observable that gives more than a client takes is cut with overflow, and told', async (t) => {
  let observer: Observer | null = null
  const scene = await open(t, (told) => ({
    subscribe: (given: Observer) => {
      observer = given
      given.next('first')
      return told
    }
  }), { maxBuffered: 100_000 })
  scene.client.pause()
  for (let i = 0; i < 1_000 && scene.told() === 0; i++) {
    observer!.next(BIG)
    await soon()
  }
  await scene.witness.sees(t, 'overflow')
  t.equal(scene.told(), 1)
  t.equal(scene.piped(), false)
  observer!.next('late')
})

t.test('a hundred sources, one behind the other, leave no listeners behind', async (t) => {
  const counts: number[] = []
  const { port, noise } = await start(t, (app) => {
    app.stream('/', async (_request, { connection }) => {
      for (let i = 0; i < 100; i++) {
        if (!await connection.pipe(i % 2 === 0 ? [i] : Readable.from([i]), { end: false })) throw new Error('it ended')
        counts.push(getEventListeners(connection.signal, 'abort').length)
      }
      connection.close()
    })
  })
  const { body } = await (await connect(t, port)).get('/').answer()
  t.equal(body.toString(), Array.from({ length: 100 }, (_, i) => `data: ${i}\n\n`).join(''))
  t.same(counts, Array(100).fill(0))
  t.same(noise(), [])
})

t.test('a Response that can\'t be passed on is nothing to a client that has gone', async (t) => {
  const handled: Connection[] = []
  const { port, noise } = await start(t, (app) => {
    app.stream('/', async (_request, { connection }) => {
      handled.push(connection)
      await connection.closed
      return Response.error()
    })
  })
  const client = (await connect(t, port)).get('/')
  const connection = await until(() => handled[0], 'the handler runs')
  client.reset()
  t.equal(await connection.closed, 'client')
  await delay(5)
  t.same(noise(), [])
})

for (const kind of ['an async generator', 'a Readable of objects', 'a web stream', 'a Response', 'a sync generator']) {
  t.test(`${kind} that is returned to a client that has gone is told, and sends nothing`, async (t) => {
    const handled: Connection[] = []
    let told = 0
    const { port, noise } = await start(t, (app) => {
      app.stream('/', async (_request, { connection }) => {
        handled.push(connection)
        await connection.closed
        return kind === 'a sync generator' ? toldWhenAsked(() => { told++ }) : KINDS[kind]!('fast', () => { told++ })
      })
    })
    const client = (await connect(t, port)).get('/')
    const connection = await until(() => handled[0], 'the handler runs')
    client.reset()
    await until(() => told === 1, 'it is told')
    t.equal(connection.bytes, 0)
    t.same(noise(), [])
  })
}

// A generator that has not begun has nothing to end.
function toldWhenAsked (told: () => void): Iterable<string> {
  return { [Symbol.iterator]: () => ({ next: () => { throw new Error('asked') }, return: () => ({ done: true, value: told() }) }) }
}

t.test('a source that is waited for before its first item is told when its client leaves, or waits no longer', async (t) => {
  const ends: Array<[title: string, end: (client: RawClient, server: Server) => unknown, status: number]> = [
    ['the client leaves', (client) => { client.reset() }, 0],
    ['the time of the handler is over', () => {}, 503],
    ['the app closes', (_client, { app }) => app.close(), 0]
  ]
  for (const [title, end, status] of ends) {
    if (status === 503 && !('handlerTimeout' in fastify().initialConfig)) continue // This Fastify has no such option.
    const options: object = { handlerTimeout: status === 503 ? 50 : 5_000 }
    let isAsked = false
    let told: unknown = null
    const server = await start(t, (app) => {
      app.stream('/', options, async function * (_request, { connection: { signal } }) {
        isAsked = true
        try {
          await delay(60_000, null, { signal })
          yield 'never'
        } finally {
          told = signal.reason
        }
      })
    }, { pastelli: { drain: 100 } })
    server.app.connections.on('open', () => { t.fail('no stream opened') })
    const client = (await connect(t, server.port)).get('/')
    await until(() => isAsked, 'it is asked')
    const ending = end(client, server)
    t.type(await until(() => told, title), 'string', title)
    await ending
    if (status !== 0) t.equal((await client.answer()).status, status)
    t.equal(client.text.includes('never'), false)
    t.same(server.noise().filter(({ msg }) => !msg.startsWith('Request timed out')), [])
  }
})

t.test('a client that leaves before what was promised is there', async (t) => {
  let promised: (source: unknown) => void = () => {}
  const noisy: string[] = []
  let told = 0
  const reject = (error: unknown) => { promised(Promise.reject(error)) }
  for (const arrive of [() => { promised(toWeb('fast', () => { told++ })) }, () => { reject(new Error('late')) }, () => { promised('no source') }, () => { reject('client') }]) {
    let piped: boolean | null = null
    const { port, app, noise } = await start(t, (app) => {
      app.stream('/', (_request, { connection }) => {
        void connection.pipe(new Promise((resolve) => { promised = resolve as typeof promised })).then((all) => { piped = all })
      })
    })
    const witness = new Witness(app)
    const client = (await connect(t, port)).get('/')
    const connection = await witness.open()
    client.reset()
    await witness.sees(t, 'client')
    await soon()
    t.equal(piped, false, 'the promise of pipe settles at once')
    t.equal(getEventListeners(connection.signal, 'abort').length, 0)
    arrive()
    await delay(5)
    noisy.push(...noise().map(({ msg, err }) => `${msg}: ${err?.message}`))
  }
  t.equal(told, 1, 'a source that comes late is told')
  t.match(noisy, [/^the source of a stream failed after the stream: late/, /after the stream: pipe takes an iterable/], 'a failure is noted')
})

t.test('a generator may end the connection itself', async (t) => {
  const ended: string[] = []
  const cases: Array<(connection: Connection) => Iterable<string> | AsyncIterable<string>> = [
    function * (connection) {
      try {
        yield 'first'
        connection.close()
        yield 'never'
      } finally {
        ended.push('sync')
      }
    },
    async function * (connection) {
      try {
        yield 'first'
        connection.close()
        yield 'never'
      } finally {
        ended.push('async')
      }
    }
  ]
  for (const make of cases) {
    const scene = await open(t, (_told, connection) => make(connection))
    const { body } = await scene.client.answer()
    t.notMatch(body.toString(), 'never')
    await scene.witness.sees(t, 'server')
    await until(() => scene.piped() === false, 'the promise of pipe settles')
    t.same(scene.noise(), [])
  }
  t.same(ended, ['sync', 'async'], 'and they are brought to their end')
})

t.test('an observable that ends the connection while it is subscribed to is told once it can be', async (t) => {
  let told = 0
  const { port, noise, logged } = await start(t, (app: FastifyInstance) => {
    app.stream('/', (_request, { connection }) => ({
      subscribe: (observer: Observer) => {
        observer.next('first')
        connection.close()
        observer.next('never')
        return () => { told++ }
      }
    }))
  })
  const { body } = await (await connect(t, port)).get('/').answer()
  t.equal(body.toString(), 'data: first\n\n')
  await logged('stream closed')
  t.equal(told, 1)
  t.same(noise(), [])
})
