/** `pastelli/client`: events typed by a map of one's own, or by the server's topics. */
import { type ClientEvent, type ClientState, type ClientStream, connect, type Gap, type TopicEvents } from 'pastelli/client'
import { connectShared } from 'pastelli/client/shared'
import { webSocket } from 'pastelli/client/websocket'
import { describe, expect, test } from 'tstyche'

interface Price { cents: number }
interface Note { text: string }
interface Topics { prices: Price, [topic: `user:${string}`]: Note }
interface Events { message: Price, note: Note }

describe('without a map', () => {
  const stream = connect('/')

  test('events have any type, and data that nobody knows', async () => {
    stream.on('whatever', ({ data, event, id }) => {
      expect(data).type.toBe<unknown>()
      expect(event).type.toBe<'whatever'>()
      expect(id).type.toBe<string | undefined>()
    })
    for await (const { data } of stream) expect(data).type.toBe<unknown>()
    stream.on('gap', ({ data }) => { expect(data).type.toBe<Gap>() })
  })
})

describe('with a map', () => {
  const stream = connect<Events>('/')

  test('listeners know their data, and gaps are known besides', () => {
    stream.on('message', ({ data }) => { expect(data).type.toBe<Price>() })
      .on('note', ({ data }) => { expect(data).type.toBe<Note>() })
      .on('gap', ({ data }) => { expect(data.reason).type.toBe<Gap['reason']>() })
    const listener = ({ data }: ClientEvent<Events, 'note'>) => { expect(data.text).type.toBe<string>() }
    stream.on('note', listener).off('note', listener)
    // @ts-expect-error '"tock"' is not assignable
    stream.on('tock', () => {})
    // @ts-expect-error not assignable
    stream.on('message', listener)
    // @ts-expect-error 'dollars' does not exist on type 'Price'
    stream.on('message', ({ data }) => data.dollars)
  })

  test('the type of an event that is iterated tells its data', async () => {
    for await (const event of stream) {
      expect(event.data).type.toBe<Price | Note | Gap>()
      if (event.event === 'note') expect(event.data).type.toBe<Note>()
      // @ts-expect-error have no overlap
      if (event.event === 'tock') break
    }
  })

  test('what it knows can\'t be set', () => {
    expect(stream.state).type.toBe<ClientState>()
    // @ts-expect-error read-only property
    stream.state = 'open'
    // @ts-expect-error read-only property
    stream.lastEventId = 'x'
  })
})

describe('with the server\'s topics', () => {
  test('messages are what is published', () => {
    connect<TopicEvents<Topics, 'prices'>>('/').on('message', ({ data }) => { expect(data).type.toBe<Price>() })
    connect<TopicEvents<Topics, 'prices' | 'user:7'>>('/').on('message', ({ data }) => { expect(data).type.toBe<Price | Note>() })
    // @ts-expect-error does not satisfy the constraint
    type Wrong = TopicEvents<Topics, 'price'>
    expect<Wrong>().type.not.toBe<ClientStream<Events>>()
  })
})

describe('the options', () => {
  test('take what fetch takes, or functions that make it', () => {
    connect(() => '/')
    connect('/', { onGap: (gap) => { expect(gap).type.toBe<Gap>() } })
    connect(async () => new URL('http://localhost/'))
    connect('/', { method: 'POST', headers: async () => ({ authorization: 'Bearer x' }), body: () => 'x', retry: 100, pauseHidden: true })
    connect('/', { headers: { authorization: 'Bearer x' }, body: new Uint8Array(), retry: { delay: 1, maxDelay: 2, attempts: 3 } })
    connect('/', { transport: webSocket, topics: ['a'], onState: (state, { delay }) => { expect(delay).type.toBe<number | undefined>() } })
    // @ts-expect-error not assignable
    connect('/', { transport: 'websocket' })
    // @ts-expect-error not assignable
    connect('/', { headers: () => 7 })
    // @ts-expect-error 'heartbeat' does not exist
    connect('/', { heartbeat: 7 })
    // @ts-expect-error not assignable
    connect(7)
  })
})

describe('a shared one', () => {
  test('is like any other, but goes over fetch', () => {
    expect(connectShared<Events>('/', { name: 'prices', retry: 5 })).type.toBe(connect<Events>('/'))
    // @ts-expect-error 'transport' does not exist
    connectShared('/', { transport: webSocket })
    // @ts-expect-error 'name' does not exist
    connect('/', { name: 'prices' })
  })
})
