/** What feeds a stream: events made by `event()`, sources that are piped or returned, formats, and what is told of a failure. */
import { Readable } from 'node:stream'
import fastify, { type FastifyInstance, type FastifyRequest, type FastifyTypeProvider } from 'fastify'
import pastelli, { type CustomFormat, event, type FormatEvent, type FormatName, type PastelliOptions, type StreamEvent, type StreamEventFields, type StreamOptions } from 'pastelli'
import { fetch as undici } from 'undici'
import { describe, expect, test } from 'tstyche'

const app = fastify()
app.register(pastelli)

interface Observer { next: (item: string) => void, error: (error: unknown) => void, complete: () => void }

/** The smallest type provider that can tell. */
interface Texts extends FastifyTypeProvider {
  validator: this['schema'] extends { properties: infer Properties } ? { [Name in keyof Properties]: string } : unknown
}

describe('event()', () => {
  test('takes any of the parts', () => {
    expect(event).type.toBeCallableWith({})
    expect(event).type.toBeCallableWith({ data: 'x' })
    expect(event).type.toBeCallableWith({ data: { a: 1 }, event: 'named', id: 'a1', retry: 6000, comment: 'aside' })
    expect(event).type.toBeCallableWith({ id: 7 })
    expect(event).type.toBeCallableWith({ event: undefined, id: undefined, retry: undefined, comment: undefined })
  })

  test('refuses others, and wrong ones', () => {
    expect(event).type.not.toBeCallableWith()
    expect(event).type.not.toBeCallableWith('x')
    expect(event).type.not.toBeCallableWith(null)
    expect(event).type.not.toBeCallableWith({ text: 'x' })
    expect(event).type.not.toBeCallableWith({ event: 7 })
    expect(event).type.not.toBeCallableWith({ id: {} })
    expect(event).type.not.toBeCallableWith({ retry: '6000' })
    expect(event).type.not.toBeCallableWith({ comment: 7 })
  })

  test('knows its data', () => {
    expect(event({ data: { cents: 7 } })).type.toBe<StreamEvent<{ cents: number }, undefined>>()
    expect(event({ data: { cents: 7 } }).fields.data).type.toBe<{ cents: number } | undefined>()
    expect(event({ id: 1 })).type.toBe<StreamEvent<undefined, undefined>>()
    expect(event({ data: 7, event: 'tick' }).fields.event).type.toBe<'tick'>()
    expect<StreamEvent['fields']>().type.toBeAssignableTo<Readonly<StreamEventFields>>()
  })

  test('makes a value that is not changed', () => {
    // @ts-expect-error Cannot assign to 'fields'
    event({}).fields = {}
    // @ts-expect-error Cannot assign to 'id'
    event({}).fields.id = 7
  })

  test('is what plain data is not', () => {
    expect<StreamEvent>().type.not.toBeAssignableFrom<{ data: string }>()
  })
})

describe('connection.pipe', () => {
  app.stream('/', (_request, { connection }) => {
    test('takes any source, and tells whether all was sent', () => {
      expect(connection.pipe(['x'])).type.toBe<Promise<boolean>>()
      expect(connection.pipe).type.toBeCallableWith(Readable.from(['x']))
      expect(connection.pipe).type.toBeCallableWith(new ReadableStream())
      expect(connection.pipe).type.toBeCallableWith(new Response())
      expect(connection.pipe).type.toBeCallableWith((async function * () { yield 'x' })())
      expect(connection.pipe).type.toBeCallableWith({ subscribe: () => () => {} })
      expect(connection.pipe).type.toBeCallableWith({ subscribe: (observer: Partial<Observer> | ((item: string) => void)) => ({ unsubscribe: () => { observer.toString() } }) })
      expect(connection.pipe).type.toBeCallableWith(undici('http://localhost'))
      expect(connection.pipe).type.toBeCallableWith(fetch('http://localhost'))
      expect(connection.pipe).type.toBeCallableWith(Promise.resolve(['x']))
    })

    test('may leave the stream open', () => {
      expect(connection.pipe).type.toBeCallableWith([], { end: false })
      expect(connection.pipe).type.toBeCallableWith([], {})
      expect(connection.pipe).type.not.toBeCallableWith([], { end: 'no' })
      expect(connection.pipe).type.not.toBeCallableWith([], { close: false })
      expect(connection.pipe).type.not.toBeCallableWith([], false)
      expect(connection.pipe).type.not.toBeCallableWith()
    })

    test('refuses what is none', () => {
      expect(connection.pipe).type.not.toBeCallableWith(Promise.resolve('x'))
      expect(connection.pipe).type.not.toBeCallableWith('text')
      expect(connection.pipe).type.not.toBeCallableWith({ some: 'object' })
      expect(connection.pipe).type.not.toBeCallableWith(undefined)
    })
  })
})

describe('a handler', () => {
  test('may be a generator', () => {
    app.stream('/', async function * (request, reply) {
      expect(this).type.toBe<FastifyInstance>()
      expect(request).type.toBe<FastifyRequest>()
      expect(reply.connection.signal).type.toBe<AbortSignal>()
      yield 'text'
      yield { some: 'json' }
      yield event({ data: 'x', id: 1 })
      yield Buffer.from('bytes')
    })
    app.stream('/', function * () { yield 'x' })
    app.stream('/', { formats: ['ndjson'] }, async function * () { yield 'x' })
  })

  test('may return any source, or a promise of one', () => {
    app.stream('/', () => ['x'])
    app.stream('/', async () => Readable.from(['x']))
    app.stream('/', () => fetch('http://localhost'))
    app.stream('/', async () => new ReadableStream())
    app.stream('/', () => ({ subscribe: () => () => {} }))
    app.stream('/', (_request, { connection }) => connection.pipe(['x']))
    app.stream('/', (_request, reply) => reply.event('x'))
  })

  test('has the request that the route says, as a generator too', () => {
    app.stream<{ Body: { prompt: string }, Params: { id: string } }>('/:id', { method: 'POST' }, async function * ({ body, params }) {
      expect(body.prompt).type.toBe<string>()
      expect(params.id).type.toBe<string>()
      yield body.prompt
    })
    app.withTypeProvider<Texts>().stream('/:id', { schema: { params: { properties: { id: {} } } } }, async function * ({ params }) {
      expect(params).type.toBe<{ readonly id: string }>()
      yield params.id
    })
  })

  test('may be a generator where the route has a type for what else it answers', () => {
    app.stream<{ Reply: { some: string } }>('/', async function * () { yield 'x' })
    app.stream<{ Reply: { some: string } }>('/', { heartbeat: 0 }, async () => ({ some: 'json' }))
    app.stream<{ Reply: { some: string } }>('/', () => ['x'])
    app.stream<{ Reply: { some: string } }>('/', async () => new Response())
    app.stream<{ Reply: { some: string } }>('/', async (_request, reply) => await reply.event('x'))
    // @ts-expect-error is not assignable to type
    app.stream<{ Reply: { some: string } }>('/', () => ({ some: 7 }))
  })
})

describe('formats', () => {
  const own: CustomFormat = { type: 'text/x-own', encode: ({ data }) => String(data) }

  test('are names, or one\'s own', () => {
    expect<FormatName>().type.toBe<'event-stream' | 'ndjson' | 'text' | 'json'>()
    app.stream('/', { formats: ['ndjson', 'text', own] }, () => {})
    app.stream('/', { formats: [{ type: 'text/x', encode: () => '' }] }, () => {})
    app.register(pastelli, { formats: ['json', 'event-stream'] })
    expect<PastelliOptions['formats']>().type.toBe<ReadonlyArray<FormatName | CustomFormat> | undefined>()
    expect<StreamOptions['formats']>().type.toBe<ReadonlyArray<FormatName | CustomFormat> | undefined>()
  })

  test('get the parts of an event', () => {
    app.stream('/', {
      formats: [{
        type: 'text/x',
        encode: (event) => {
          expect(event).type.toBe<FormatEvent>()
          return ''
        }
      }]
    }, () => {})
    expect<FormatEvent>().type.toBe<{ data: unknown, event: string | undefined, id: string | undefined, retry: number | undefined }>()
  })

  test('refuses others', () => {
    // @ts-expect-error Type '"xml"' is not assignable
    app.stream('/', { formats: ['xml'] }, () => {})
    // @ts-expect-error Type 'string' is not assignable
    app.stream('/', { formats: 'ndjson' }, () => {})
    // @ts-expect-error Property 'encode' is missing
    app.stream('/', { formats: [{ type: 'text/x' }] }, () => {})
    // @ts-expect-error Type 'Buffer
    app.stream('/', { formats: [{ type: 'text/x', encode: () => Buffer.from('') }] }, () => {})
    // @ts-expect-error Type 'Promise<string>' is not assignable to type 'string'
    app.stream('/', { formats: [{ type: 'text/x', encode: async () => '' }] }, () => {})
    // @ts-expect-error 'extension' does not exist in type
    app.stream('/', { formats: [{ type: 'text/x', encode: () => '', extension: 'x' }] }, () => {})
  })
})

describe('errorData', () => {
  test('shapes what a client is told', () => {
    app.stream('/', {
      errorData: (error) => {
        expect(error).type.toBe<unknown>()
        return { message: 'sorry' }
      }
    }, () => {})
    app.register(pastelli, { errorData: () => 'sorry' })
  })

  test('is a function', () => {
    // @ts-expect-error Type 'string' is not assignable
    app.stream('/', { errorData: 'sorry' }, () => {})
    // @ts-expect-error Type 'null' is not assignable
    app.register(pastelli, { errorData: null })
  })
})
