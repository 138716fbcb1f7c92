/** Topics: what is published on them, who is subscribed, and what filters see. */
import fastify, { type FastifyRequest } from 'fastify'
import pastelli, { type Connection, type GapReason, type Log, memoryLog, type Payload, type TopicEvent, type TopicName, type Topics } from 'pastelli'
import { describe, expect, test } from 'tstyche'

interface Price { symbol: string, cents: number }
interface Note { text: string }

declare module 'pastelli' {
  interface TopicMap {
    prices: Price
    [topic: `user:${string}`]: Note
  }
}

const app = fastify()
app.register(pastelli)
const { topics } = app

describe('publish', () => {
  test('takes what the map says of the topic', () => {
    expect(topics).type.toBe<Topics>()
    expect(topics.publish('prices', { symbol: 'A', cents: 1 })).type.toBe<string | Promise<string>>()
    topics.publish('user:7', { text: 'hello' }, { event: 'note', retry: 100, key: 'k', except: 'user:7' })
    // @ts-expect-error not assignable to type 'number'
    topics.publish('prices', { symbol: 'A', cents: '1' })
    // @ts-expect-error not assignable to parameter of type 'Note'
    topics.publish('user:7', 'hello')
  })

  test('takes no topic that is not in the map', () => {
    // @ts-expect-error Argument of type '"price"' is not assignable
    topics.publish('price', { symbol: 'A', cents: 1 })
    // @ts-expect-error Argument of type '7' is not assignable
    topics.publish(7, {})
  })

  test('takes a connection, an id or a name to except', () => {
    const connection = {} as Connection
    topics.publish('user:7', { text: 'hello' }, { except: connection })
    // @ts-expect-error Type 'number' is not assignable
    topics.publish('user:7', { text: 'hello' }, { except: 7 })
    // @ts-expect-error 'id' does not exist in type 'PublishOptions'
    topics.publish('user:7', { text: 'hello' }, { id: '1' })
  })
})

describe('the map', () => {
  test('gives the topics and their payloads to a client, too', () => {
    expect<TopicName>().type.toBe<'prices' | `user:${string}`>()
    expect<Payload<'prices'>>().type.toBe<Price>()
    expect<Payload<'user:7'>>().type.toBe<Note>()
  })
})

describe('a connection', () => {
  const connection = {} as Connection

  test('is subscribed to one topic or to several', () => {
    expect(connection.subscribe('prices')).type.toBe<void | Promise<void>>()
    connection.subscribe(['prices', 'user:7'], { after: 'earliest' })
    connection.subscribe('prices', { after: topics.position, filter: null })
    connection.unsubscribe(['prices'])
    // @ts-expect-error Argument of type '"price"' is not assignable
    connection.subscribe('price')
    // @ts-expect-error Type 'number' is not assignable
    connection.subscribe('prices', { after: 12 })
  })

  test('has filters that know what is published', () => {
    connection.subscribe('prices', {
      filter: (event) => {
        expect(event).type.toBe<TopicEvent<'prices', Price>>()
        return event.data.cents > 100
      }
    })
    connection.subscribe(['prices', 'user:7'], {
      filter: (event) => {
        expect(event.data).type.toBe<Price | Note>()
        if (event.topic === 'prices') expect(event.data).type.toBe<Price>()
        return true
      }
    })
    // @ts-expect-error Type 'string' is not assignable to type 'boolean'
    connection.subscribe('prices', { filter: () => 'yes' })
  })

  test('expires at a date or a time', () => {
    connection.expire(new Date())
    connection.expire(Date.now() + 1000)
    expect(connection.expiresAt).type.toBe<number | null>()
    // @ts-expect-error Argument of type 'string' is not assignable
    connection.expire('tomorrow')
  })
})

describe('a stream route', () => {
  test('names its topics, or tells them from the request', () => {
    app.stream('/', { topics: 'prices' })
    app.stream('/', { topics: ['prices', 'user:7'] }, (_request, reply) => { reply.event('hello') })
    app.stream<{ Params: { id: string } }>('/:id', {
      topics: (request) => {
        expect(request.params.id).type.toBe<string>()
        return `user:${request.params.id}`
      }
    })
    app.stream('/', { topics: async () => ['prices'] })
    // @ts-expect-error not assignable
    app.stream('/', { topics: 'price' })
    // @ts-expect-error not assignable
    app.stream('/', { topics: () => 7 })
  })
})

describe('the events', () => {
  test('tell the topic', () => {
    topics.on('active', (topic) => { expect(topic).type.toBe<TopicName>() })
    topics.on('idle', (topic) => { expect(topic).type.toBe<TopicName>() })
    // @ts-expect-error not assignable to parameter of type 'never'
    topics.on('busy', () => {})
    expect(topics.subscribers('prices')).type.toBe<number>()
    expect(topics.reauthorize()).type.toBe<Promise<void>>()
    expect<GapReason>().type.toBe<'trimmed' | 'foreign' | 'malformed' | 'overflow'>()
  })
})

describe('the options', () => {
  test('take a log, rights and a policy', () => {
    expect(memoryLog({ events: 10, bytes: 1_000, age: Infinity })).type.toBe<Log>()
    app.register(pastelli, { log: memoryLog(), overflow: 'skip', coalesce: 10 })
    app.register(pastelli, {
      canSubscribe: (request, topic) => {
        expect(request).type.toBe<FastifyRequest>()
        expect(topic).type.toBe<string>()
        return true
      }
    })
    app.register(pastelli, { canSubscribe: async () => false })
    // @ts-expect-error not assignable
    app.register(pastelli, { overflow: 'drop' })
    // @ts-expect-error not assignable
    app.register(pastelli, { canSubscribe: () => 'yes' })
    // @ts-expect-error 'size' does not exist
    memoryLog({ size: 10 })
  })
})
