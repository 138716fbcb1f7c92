/** Events that a route declares with TypeBox, through its own type provider. */
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import pastelli, { event, type Sent } from 'pastelli'
import { Type as Bare } from 'typebox'
import { describe, expect, test } from 'tstyche'

const plain = fastify()
plain.register(pastelli)
const app = plain.withTypeProvider<TypeBoxTypeProvider>()

const tick = Type.Object({ at: Type.Integer(), by: Type.Optional(Type.String()) })
const text = Type.String()
const level = Type.Union([Type.Literal('low'), Type.Literal('high')])

describe('reply.event', () => {
  app.stream('/', { schema: { events: { tick, level, message: text } } }, (_request, reply) => {
    test('sends the data that the schema of the event says', () => {
      expect(reply.event({ at: 1 }, { event: 'tick' })).type.toBe<Sent>()
      reply.event({ at: 1, by: 'me' }, { event: 'tick', id: 7, retry: 100 })
      reply.event('low', { event: 'level' })
    })

    test('needs no name for a message, and takes it', () => {
      reply.event('text')
      reply.event('text', { id: 7 })
      reply.event('text', null)
      reply.event('text', { event: 'message' })
    })

    test('refuses an event that is not declared', () => {
      // @ts-expect-error No overload matches this call
      reply.event({ at: 1 }, { event: 'tock' })
      // @ts-expect-error No overload matches this call
      reply.event('text', { event: 'Message' })
      // @ts-expect-error No overload matches this call
      reply.event('text', { event: 'tick' as string })
    })

    test('refuses other data', () => {
      // @ts-expect-error No overload matches this call
      reply.event({ at: '1' }, { event: 'tick' })
      // @ts-expect-error No overload matches this call
      reply.event({ at: 1, by: 7 }, { event: 'tick' })
      // @ts-expect-error No overload matches this call
      reply.event('middle', { event: 'level' })
      // @ts-expect-error Argument of type 'number' is not assignable
      reply.event(7)
      // @ts-expect-error Argument of type '{ at: number; }' is not assignable
      reply.event({ at: 1 })
    })

    test('refuses data that lacks a property, or has one too many', () => {
      // @ts-expect-error No overload matches this call
      reply.event({}, { event: 'tick' })
      // @ts-expect-error No overload matches this call
      reply.event({ by: 'me' }, { event: 'tick' })
      // @ts-expect-error No overload matches this call
      reply.event({ at: 1, secret: 2 }, { event: 'tick' })
    })

    test('refuses options that there are not', () => {
      // @ts-expect-error No overload matches this call
      reply.event({ at: 1 }, { event: 'tick', name: 'x' })
      // @ts-expect-error No overload matches this call
      reply.event({ at: 1 }, { event: 'tick', retry: '100' })
      // @ts-expect-error Object literal may only specify known properties
      reply.event('text', { name: 'x' })
    })
  })

  test('needs a name where no message is declared', () => {
    app.stream('/', { schema: { events: { tick } } }, (_request, reply) => {
      reply.event({ at: 1 }, { event: 'tick' })
      // @ts-expect-error Expected 2 arguments, but got 1
      reply.event({ at: 1 })
      // @ts-expect-error Property 'event' is missing
      reply.event({ at: 1 }, {})
      // @ts-expect-error Type '"tock"' is not assignable to type '"tick"'
      reply.event({ at: 1 }, { event: 'tock' })
    })
  })

  test('knows schemas that `typebox` made', () => {
    app.stream('/', { schema: { events: { tick: Bare.Object({ at: Bare.Number() }) } } }, (_request, reply) => {
      reply.event({ at: 1 }, { event: 'tick' })
      // @ts-expect-error Type 'string' is not assignable to type 'number'
      reply.event({ at: '1' }, { event: 'tick' })
    })
  })

  test('is known beside the rest of the schema', () => {
    const schema = { body: Type.Object({ prompt: text }), params: Type.Object({ id: Type.String() }), events: { tick } }
    app.stream('/:id', { method: 'POST', schema }, ({ body, params }, reply) => {
      expect(body.prompt).type.toBe<string>()
      expect(params.id).type.toBe<string>()
      reply.event({ at: 1, by: body.prompt }, { event: 'tick' })
      // @ts-expect-error Type '"tock"' is not assignable to type '"tick"'
      reply.event({ at: 1 }, { event: 'tock' })
    })
  })
})

describe('a generator', () => {
  test('yields the events that the schema declares', () => {
    app.stream('/', { schema: { events: { tick, level, message: text } } }, async function * () {
      yield event({ event: 'tick', data: { at: 1 } })
      yield event({ event: 'tick', data: { at: 1, by: 'me' }, id: 7 })
      yield event({ event: 'message', data: 'text' })
      yield event({ data: 'text', id: 8 })
      yield 'text'
      yield event({ comment: 'a sign of life' })
      yield Buffer.from(':\n\n')
    })
    app.stream('/', { schema: { events: { tick } } }, function * () {
      yield event({ event: 'tick', data: { at: 1 } })
    })
  })

  test('yields no other events', () => {
    // @ts-expect-error No overload matches this call
    app.stream('/', { schema: { events: { tick } } }, async function * () {
      yield event({ event: 'tock', data: { at: 1 } })
    })
    // @ts-expect-error No overload matches this call
    app.stream('/', { schema: { events: { tick } } }, async function * () {
      yield event({ data: { at: 1 } })
    })
  })

  test('yields no other data', () => {
    // @ts-expect-error No overload matches this call
    app.stream('/', { schema: { events: { tick } } }, async function * () {
      yield event({ event: 'tick', data: { at: '1' } })
    })
    // @ts-expect-error No overload matches this call
    app.stream('/', { schema: { events: { tick } } }, async function * () {
      yield event({ event: 'tick', data: {} })
    })
    // @ts-expect-error No overload matches this call
    app.stream('/', { schema: { events: { message: text } } }, async function * () {
      yield 7
    })
    // @ts-expect-error No overload matches this call
    app.stream('/', { schema: { events: { tick } } }, async function * () {
      yield 'text'
    })
  })

  test('knows the request that the schema says', () => {
    app.stream('/', { schema: { querystring: Type.Object({ from: Type.Integer() }), events: { tick } } }, async function * ({ query }) {
      expect(query.from).type.toBe<number>()
      yield event({ event: 'tick', data: { at: query.from } })
    })
  })
})

describe('a resumable stream', () => {
  const schema = { params: Type.Object({ id: Type.String() }), events: { tick, message: text } }

  test('yields the same, and knows its request where its key is asked for', () => {
    app.stream('/:id', { resumable: ({ params }) => params.id, schema }, async function * ({ params }, _reply, { key, signal }) {
      expect(params.id).type.toBe<string>()
      expect(key).type.toBe<string>()
      expect(signal).type.toBe<AbortSignal>()
      yield event({ event: 'tick', data: { at: 1 } })
      yield params.id
    })
  })

  test('yields nothing else', () => {
    // @ts-expect-error No overload matches this call
    app.stream('/:id', { resumable: ({ params }) => params.id, schema }, async function * () {
      yield event({ event: 'tock', data: { at: 1 } })
    })
    // @ts-expect-error No overload matches this call
    app.stream('/:id', { resumable: ({ params }) => params.id, schema }, async function * () {
      yield event({ event: 'tick', data: { by: 'me' } })
    })
  })
})
