/** Events that a route's schema declares: what may be sent, what may be yielded. */
import fastify, { type FastifyReply, type FastifyTypeProvider } from 'fastify'
import pastelli, { event, type StreamEvent } from 'pastelli'
import { describe, expect, test } from 'tstyche'

/** The smallest type provider that can tell. */
interface Phantoms extends FastifyTypeProvider {
  serializer: this['schema'] extends { phantom: infer Type } ? Type : unknown
}

const plain = fastify()
plain.register(pastelli)
const typed = plain.withTypeProvider<Phantoms>()

const tick = { type: 'object' } as { type: string, phantom: { at: number } }
const token = { type: 'string' } as { type: string, phantom: string }

describe('an event made by `event()`', () => {
  test('has the type of its data and its own', () => {
    expect(event({ event: 'tick', data: { at: 1 } })).type.toBe<StreamEvent<{ at: number }, 'tick'>>()
    expect(event({ comment: 'x' })).type.toBe<StreamEvent<undefined, undefined>>()
    // @ts-expect-error 'type' does not exist
    event({ type: 'tick' })
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    event({ retry: '10' })
  })
})

describe('a route whose schema declares events', () => {
  test('sends those, and no others', () => {
    plain.stream('/', { schema: { events: { tick: { type: 'object' } } } }, (_request, reply) => {
      reply.event({ at: 1 }, { event: 'tick', id: 1 })
      // @ts-expect-error Type '"tock"' is not assignable to type '"tick"'
      reply.event({ at: 1 }, { event: 'tock' })
      // @ts-expect-error Expected 2 arguments, but got 1
      reply.event({ at: 1 })
    })
  })

  test('sends the data that a type provider reads off the schema', () => {
    typed.stream('/', { schema: { events: { tick, message: token } } }, (_request, reply) => {
      reply.event({ at: 1 }, { event: 'tick' })
      reply.event('text')
      // @ts-expect-error No overload matches this call
      reply.event({ at: '1' }, { event: 'tick' })
      // @ts-expect-error Argument of type 'number' is not assignable
      reply.event(7)
    })
  })

  test('has a reply that may be given to what takes any', () => {
    const log = (_reply: FastifyReply) => {}
    typed.stream('/', { schema: { events: { tick } } }, (_request, reply) => { log(reply as unknown as FastifyReply) })
  })

  test('yields those, and no others', () => {
    typed.stream('/', { schema: { events: { tick, message: token } } }, async function * () {
      yield event({ event: 'tick', data: { at: 1 } })
      yield 'text'
      yield event({ comment: 'a sign of life' })
    })
    // @ts-expect-error No overload matches this call
    typed.stream('/', { schema: { events: { tick } } }, async function * () {
      yield event({ event: 'tock', data: { at: 1 } })
    })
    // @ts-expect-error No overload matches this call
    typed.stream('/', { schema: { events: { tick } } }, async function * () {
      yield event({ event: 'tick', data: { at: '1' } })
    })
  })

  test('may answer nothing, or later', () => {
    typed.stream('/', { schema: { events: { tick } } }, async () => {})
    typed.stream('/', { schema: { events: { tick } } }, async (_request, reply) => { reply.event({ at: 1 }, { event: 'tick' }) })
  })
})

describe('any other route', () => {
  test('sends what it likes', () => {
    plain.stream('/', { schema: { querystring: { type: 'object' } } }, (_request, reply) => {
      reply.event({ at: 1 }, { event: 'tock' })
      reply.event(7)
    })
    plain.stream('/', async function * () {
      yield 7
      yield event({ event: 'any', data: null })
    })
  })
})
