/** The WebSocket of a stream route: what its handler gets, and what it may answer. */
import fastify, { type FastifyInstance, type FastifyRequest, type FastifyTypeProvider } from 'fastify'
import pastelli, { type CloseReason, type Connection, type WebSocketHandler } from 'pastelli'
import { describe, expect, test } from 'tstyche'

const app = fastify()
app.register(pastelli)

/** The smallest type provider that can tell. */
interface Texts extends FastifyTypeProvider {
  validator: this['schema'] extends { properties: infer Properties } ? { [Name in keyof Properties]: string } : unknown
}

describe('the handler', () => {
  test('has the instance as `this`, the connection, and what came', () => {
    app.stream('/', {
      websocket: {
        init (request, connection) {
          expect(this).type.toBe<FastifyInstance>()
          expect(request).type.toBe<FastifyRequest>()
          expect(connection).type.toBe<Connection>()
        },
        handle (message, connection) {
          expect(message).type.toBe<string | Buffer>()
          expect(connection).type.toBe<Connection>()
        },
        info: (message: { price: number }, connection) => {
          expect(connection).type.toBe<Connection>()
          return { reply: message.price }
        },
        terminate: (reason, connection) => {
          expect(reason).type.toBe<CloseReason>()
          expect(connection).type.toBe<Connection>()
        }
      }
    })
  })

  test('has the request that the route says', () => {
    app.stream<{ Params: { room: string } }>('/:room', {
      websocket: { init: (request) => { expect(request.params.room).type.toBe<string>() } }
    })
    app.withTypeProvider<Texts>().stream('/:room', {
      schema: { params: { type: 'object', properties: { room: { type: 'string' } } } },
      websocket: { init: (request) => { expect(request.params.room).type.toBe<string>() } }
    }, (request) => { expect(request.params.room).type.toBe<string>() })
  })

  test('may be sync or async, and answers nothing, what a verb answered, or what is sent', () => {
    app.stream('/', {
      websocket: {
        init: async () => {},
        handle: (message, connection) => connection.chunk(message),
        info: async () => ({ reply: { any: 'thing' }, close: { code: 4000, reason: 'enough' } })
      }
    })
    app.stream('/', { websocket: { handle: () => ({ close: true }) } })
    app.stream('/', { websocket: { handle: () => ({ close: 1008 }) } })
    // @ts-expect-error not assignable
    app.stream('/', { websocket: { handle: () => 'text' } })
    // @ts-expect-error not assignable
    app.stream('/', { websocket: { handle: () => ({ close: 'now' }) } })
  })

  test('may be declared apart', () => {
    const echo: WebSocketHandler = { handle: (message) => ({ reply: message }) }
    app.stream('/', { websocket: echo })
    app.stream('/', { websocket: echo, topics: 'prices' })
    app.stream('/', { websocket: echo }, () => {})
  })

  test('says how its events are sent, who may come, and what it speaks', () => {
    app.stream('/', {
      topics: 'prices',
      websocket: {
        encode: ({ data, event, id, retry }) => {
          expect(data).type.toBe<unknown>()
          expect(event).type.toBe<string | undefined>()
          expect(id).type.toBe<string | undefined>()
          expect(retry).type.toBe<number | undefined>()
          return new Uint8Array()
        },
        allowedOrigins: (origin, request) => {
          expect(origin).type.toBe<string | undefined>()
          expect(request).type.toBe<FastifyRequest>()
          return true
        },
        protocols: ['v2', 'v1'],
        maxPayload: 1024
      }
    })
    app.stream('/', { topics: 'prices', websocket: { allowedOrigins: ['https://example.com', /\.example\.com$/] } })
  })
})

describe('the connection', () => {
  test('has a mailbox and a protocol', () => {
    app.connections.on('open', (connection) => {
      expect(connection.info({ any: 'thing' })).type.toBe<boolean>()
      expect(connection.protocol).type.toBe<string | null>()
    })
  })
})

describe('the options', () => {
  test('have what WebSockets have in common, or nothing of them', () => {
    app.register(pastelli, { websocket: false })
    app.register(pastelli, { websocket: { maxPayload: 1024, allowedOrigins: '*' } })
    // @ts-expect-error not assignable
    app.register(pastelli, { websocket: true })
  })
})
