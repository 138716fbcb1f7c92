/** Whatever a handler has, a client gets its items: everything that can be asked for items, or gives them. */
import { PassThrough, Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { Response as UndiciResponse } from 'undici'
import type { AnySource } from '../../index.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'

interface Observer { next: (item: unknown) => void, error: (error: unknown) => void, complete: () => void }

const ITEMS = ['one', { two: 2 }, [3]]
const EVENTS = 'data: one\n\ndata: {"two":2}\n\ndata: [3]\n\n'
const BYTES = 'data: wörtlich\n\n'

const soon = async () => { await new Promise(setImmediate) }

function * generate () { yield * ITEMS }

async function * generateLater () {
  for (const item of ITEMS) {
    await soon()
    yield item
  }
}

const emit = (observer: Observer) => {
  for (const item of ITEMS) observer.next(item)
  observer.complete()
}

/** An iterator whose promises are not the language's own. */
class Thenables {
  readonly #items = generate()

  next () {
    const result = this.#items.next()
    return { then: (resolve: (result: unknown) => void) => { setImmediate(resolve, result) } }
  }

  [Symbol.asyncIterator] () {
    return this
  }
}

/** RxJS's: an observer and an observable in one. */
class Subject {
  readonly #observers = new Set<Observer>()

  next (item: unknown) {
    for (const observer of this.#observers) observer.next(item)
  }

  complete () {
    for (const observer of this.#observers) observer.complete()
  }

  subscribe (observer: Observer) {
    this.#observers.add(observer)
    return { unsubscribe: () => { this.#observers.delete(observer) } }
  }
}

function feed (subject: Subject): Subject {
  setImmediate(() => {
    for (const item of ITEMS) subject.next(item)
    subject.complete()
  })
  return subject
}

/** Streams of packages that are not Node's own, such as `readable-stream`. */
function foreign (stream: Readable): object {
  return {
    pipe: () => {},
    destroy: () => stream.destroy(),
    once: stream.once.bind(stream),
    [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator]()
  }
}

const OF_ITEMS: Record<string, () => unknown> = {
  'an array': () => ITEMS,
  'a set': () => new Set(ITEMS),
  'a generator': generate,
  'a generator of promises': function * () { for (const item of ITEMS) yield soon().then(() => item) },
  'an async generator': generateLater,
  'an async iterable': () => ({ [Symbol.asyncIterator]: generateLater }),
  'an async iterable without return': () => {
    const items = generate()
    return { [Symbol.asyncIterator]: () => ({ next: async () => items.next() }) }
  },
  'an async iterable of thenables': () => new Thenables(),
  'a Readable of objects': () => Readable.from(ITEMS),
  'a Duplex of objects': () => Readable.from(ITEMS).pipe(new PassThrough({ objectMode: true })),
  'a Readable that is not Node\'s': () => foreign(Readable.from(ITEMS)),
  'a web stream of objects': () => new ReadableStream({
    start (controller) {
      for (const item of ITEMS) controller.enqueue(item)
      controller.close()
    }
  }),
  'a web stream that is not Node\'s': () => ({ getReader: () => Readable.toWeb(Readable.from(ITEMS)).getReader() }),
  'an observable that emits at once, with a function to unsubscribe': () => ({
    subscribe: (observer: Observer) => {
      emit(observer)
      return () => {}
    }
  }),
  'an observable that emits later, with an object to unsubscribe': () => ({
    subscribe: (observer: Observer) => {
      setImmediate(emit, observer)
      return { unsubscribe () {} }
    }
  }),
  'an observable with nothing to unsubscribe': () => ({ subscribe: (observer: Observer) => { setImmediate(emit, observer) } }),
  'a subject': () => feed(new Subject())
}

const OF_BYTES: Record<string, () => unknown> = {
  'a Readable of bytes': () => Readable.from([Buffer.from(BYTES)], { objectMode: false }),
  'a web stream of bytes': () => new Blob([BYTES]).stream(),
  'a Response': () => new Response(BYTES),
  'a Response of undici': () => new UndiciResponse(BYTES),
  'a generator of bytes': function * () { for (const byte of Buffer.from(BYTES)) yield Uint8Array.of(byte) }
}

const routes = (app: FastifyInstance) => {
  const all = { ...OF_ITEMS, ...OF_BYTES }
  for (const [index, make] of Object.values(all).entries()) {
    app.stream(`/returned/${index}`, () => make())
    app.stream(`/promised/${index}`, async () => {
      await soon()
      return make()
    })
    app.stream(`/piped/${index}`, async (_request, { connection }) => {
      if (!await connection.pipe(make() as AnySource)) throw new Error('not all was sent')
    })
    app.stream(`/piped-promise/${index}`, async (_request, { connection }) => {
      if (!await connection.pipe(soon().then(() => make() as AnySource))) throw new Error('not all was sent')
    })
  }
}

for (const way of ['returned', 'promised', 'piped', 'piped-promise']) {
  t.test(`${way}, a client gets all items, and the stream ends`, async (t) => {
    const { port, app, noise } = await start(t, routes)
    let index = 0
    for (const [kinds, body] of [[OF_ITEMS, EVENTS], [OF_BYTES, BYTES]] as const) {
      for (const title of Object.keys(kinds)) {
        const response = await (await connect(t, port)).get(`/${way}/${index++}`).answer()
        t.equal(response.status, 200, title)
        t.equal(response.body.toString(), body, title)
        t.equal(response.rest.length, 0)
      }
    }
    t.equal(app.connections.counts.server, index)
    t.same(noise(), [])
  })
}
