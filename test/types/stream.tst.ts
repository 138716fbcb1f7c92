/** `fastify.stream`: a route like any other, with the settings of a stream. */
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyTypeProvider } from 'fastify'
import pastelli, { type Connection, event, type Producer, type StreamOptions } from 'pastelli'
import { describe, expect, test } from 'tstyche'

const app = fastify()
app.register(pastelli)

/** The smallest type provider that can tell. */
interface Texts extends FastifyTypeProvider {
  validator: this['schema'] extends { properties: infer Properties } ? { [Name in keyof Properties]: string } : unknown
}

describe('the handler', () => {
  test('has the instance as `this`, a request and a reply', () => {
    app.stream('/', function (request, reply) {
      expect(this).type.toBe<FastifyInstance>()
      expect(request).type.toBe<FastifyRequest>()
      expect(reply.event('x')).type.toBe<boolean | Promise<boolean>>()
    })
  })

  test('may be sync or async, and may answer otherwise', () => {
    app.stream('/', () => {})
    app.stream('/', async () => {})
    app.stream('/', (_request, reply) => reply.code(204).send())
    app.stream('/', async () => ({ some: 'json' }))
  })

  test('has the request that the route says', () => {
    app.stream<{ Params: { id: string }, Querystring: { after?: number }, Body: { text: string }, Headers: { 'x-y': 'z' } }>('/:id', (request) => {
      expect(request.params).type.toBe<{ id: string }>()
      expect(request.query.after).type.toBe<number | undefined>()
      expect(request.body.text).type.toBe<string>()
      expect(request.headers['x-y']).type.toBe<'z'>()
    })
    app.stream<{ Params: { id: string } }>('/:id', { heartbeat: 0 }, ({ params }) => {
      expect(params.id).type.toBe<string>()
    })
  })

  test('has the request that a type provider reads off the schema', () => {
    app.withTypeProvider<Texts>().stream('/:id', { schema: { params: { properties: { id: {} } } } }, ({ params, body }) => {
      expect(params).type.toBe<{ readonly id: string }>()
      expect(body).type.toBe<unknown>()
    })
  })

  test('is that of the server\'s kind', () => {
    const http2 = fastify({ http2: true })
    http2.stream('/', (request, reply) => {
      expect(request.raw.stream.session?.closed).type.toBe<boolean | undefined>()
      expect(reply.event('x')).type.toBe<boolean | Promise<boolean>>()
    })
  })
})

describe('the handler of a resumable stream', () => {
  test('gets what a producer knows of itself', () => {
    app.stream<{ Params: { id: string } }>('/:id', { resumable: ({ params }) => params.id, abandonAfter: 1_000 }, async function * (request, reply, producer) {
      expect(this).type.toBe<FastifyInstance>()
      expect(request.params).type.toBe<{ id: string }>()
      expect(reply.connection).type.toBe<Connection>()
      expect(producer).type.toBe<Producer>()
      expect(producer.signal).type.toBe<AbortSignal>()
      yield 'token'
    })
    app.stream('/', { resumable: async () => 'key' }, () => ['token'])
  })

  test('gets it also where the schema declares events', () => {
    app.stream('/', { resumable: () => 'key', schema: { events: { token: { type: 'string' } } } }, async function * (_request, _reply, { key }) {
      expect(key).type.toBe<string>()
      yield event({ event: 'token', data: key })
    })
  })

  test('is the only one that does', () => {
    // @ts-expect-error No overload matches this call
    app.stream('/', { method: 'GET' }, (_request: FastifyRequest, _reply: FastifyReply, _producer: Producer) => {})
    // @ts-expect-error No overload matches this call
    app.stream('/', { resumable: () => 7 }, () => ['token'])
  })
})

describe('the route', () => {
  test('is declared in a chain', () => {
    expect(app.stream('/', () => {})).type.toBe<FastifyInstance>()
  })

  test('takes what any route takes', () => {
    app.stream('/', {
      method: ['GET', 'POST'],
      schema: { body: {} },
      bodyLimit: 10,
      constraints: { host: 'a.b' },
      config: { own: 1 },
      exposeHeadRoute: false,
      preHandler: async (request) => { expect(request.ip).type.toBe<string>() }
    }, () => {})
    app.stream('/', { method: 'POST' }, () => {})
  })

  test('takes the settings of a stream', () => {
    app.stream('/', { heartbeat: 0, heartbeatEvent: 'beat', retry: 1, maxAge: 2, writeTimeout: 3, highWaterMark: 4, maxBuffered: 5 }, () => {})
    app.stream('/', { maxConnections: 1, maxConnectionsPerKey: 2 }, () => {})
    app.stream('/', { heartbeat: undefined }, () => {})
    const options: StreamOptions = { heartbeat: 1, key: ({ ip }) => ip }
    app.stream('/', options, () => {})
  })

  test('gives `key` a request', () => {
    app.stream('/', {
      key: (request) => {
        expect(request).type.toBe<FastifyRequest>()
        return request.ip
      }
    }, () => {})
    app.stream<{ Params: { id: string } }>('/:id', { key: (request) => request.params.id }, () => {})
    expect<StreamOptions['key']>().type.toBe<((request: FastifyRequest) => string) | undefined>()
  })

  test('refuses wrong settings, unknown ones, and those of the server', () => {
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    app.stream('/', { heartbeat: 'never' }, () => {})
    // @ts-expect-error Type 'boolean' is not assignable to type 'string'
    app.stream('/', { heartbeatEvent: true }, () => {})
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    app.stream('/', { key: () => 7 }, () => {})
    // @ts-expect-error 'heartBeat' does not exist in type
    app.stream('/', { heartBeat: 0 }, () => {})
    // @ts-expect-error 'drain' does not exist in type
    app.stream('/', { drain: 1 }, () => {})
    // @ts-expect-error Type 'number' is not assignable to type
    app.stream('/', { method: 7 }, () => {})
  })

  test('needs a path and a handler', () => {
    expect(app.stream).type.not.toBeCallableWith('/')
    expect(app.stream).type.not.toBeCallableWith('/', {})
    expect(app.stream).type.not.toBeCallableWith(() => {})
    expect(app.stream).type.not.toBeCallableWith('/', () => {}, {})
  })
})
