/** The verbs on `reply`, in any route. */
import fastify from 'fastify'
import pastelli, { type Connection, type EventOptions, type Sent } from 'pastelli'
import { describe, expect, test } from 'tstyche'

const app = fastify()
app.register(pastelli)

app.post('/', async (_request, reply) => {
  describe('the verbs', () => {
    test('that send answer a boolean, or a promise of one', () => {
      expect<Sent>().type.toBe<boolean | Promise<boolean>>()
      expect(reply.chunk('text')).type.toBe<boolean | Promise<boolean>>()
      expect(reply.chunk(new Uint8Array(1))).type.toBe<boolean | Promise<boolean>>()
      expect(reply.chunk(Buffer.alloc(1))).type.toBe<boolean | Promise<boolean>>()
      expect(reply.event('text')).type.toBe<boolean | Promise<boolean>>()
      expect<Awaited<ReturnType<typeof reply.event>>>().type.toBe<boolean>()
    })

    test('that begin answer the reply', () => {
      expect(reply.sendChunked()).type.toBe<typeof reply>()
      expect(reply.sendChunked(201).initChunk('hello').header('x-y', 'z')).type.toBe<typeof reply>()
    })

    test('that end answer nothing', () => {
      expect(reply.closeChunk()).type.toBe<void>()
    })

    test('are there on the connection too', () => {
      expect(reply.connection).type.toBe<Connection>()
      expect(reply.connection.chunk).type.toBe<typeof reply.chunk>()
      expect(reply.connection.event).type.toBe<typeof reply.event>()
    })
  })

  describe('an event', () => {
    test('has data of any kind', () => {
      expect(reply.event).type.toBeCallableWith({ any: ['thing', 1, null] })
      expect(reply.event).type.toBeCallableWith(null)
      expect(reply.event).type.not.toBeCallableWith()
    })

    test('has a type, an id and a retry, or has not', () => {
      expect(reply.event).type.toBeCallableWith('x', { event: 'tick', id: '1', retry: 2 })
      expect(reply.event).type.toBeCallableWith('x', { id: 0 })
      expect(reply.event).type.toBeCallableWith('x', { event: undefined, id: undefined, retry: undefined })
      expect(reply.event).type.toBeCallableWith('x', null)
      expect(reply.event).type.toBeCallableWith('x', undefined)
      const options: EventOptions = { id: 'x' }
      expect(reply.initChunk).type.toBeCallableWith('x', options)
    })

    test('has nothing else', () => {
      expect(reply.event).type.not.toBeCallableWith('x', { type: 'tick' })
      expect(reply.event).type.not.toBeCallableWith('x', { event: 7 })
      expect(reply.event).type.not.toBeCallableWith('x', { event: null })
      expect(reply.event).type.not.toBeCallableWith('x', { id: true })
      expect(reply.event).type.not.toBeCallableWith('x', { retry: '2' })
      expect(reply.event).type.not.toBeCallableWith('x', 'tick')
      expect(reply.initChunk).type.not.toBeCallableWith('x', { type: 'tick' })
    })
  })

  test('what is no chunk, no status and no argument is refused', () => {
    expect(reply.chunk).type.not.toBeCallableWith({ an: 'object is an event' })
    expect(reply.chunk).type.not.toBeCallableWith(7)
    expect(reply.chunk).type.not.toBeCallableWith(new Uint16Array(1))
    expect(reply.chunk).type.not.toBeCallableWith()
    expect(reply.sendChunked).type.not.toBeCallableWith('200')
    expect(reply.closeChunk).type.not.toBeCallableWith('client')
    // @ts-expect-error Cannot assign to 'connection'
    reply.connection = {}
  })
})
