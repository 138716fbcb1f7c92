/** Presence, and what is sent to one connection, wherever it is. */
import fastify from 'fastify'
import pastelli, { type Connection, type Presence, type PresenceMember, type SendOptions, type SendTarget } from 'pastelli'
import { describe, expect, test } from 'tstyche'

const app = fastify()
app.register(pastelli)

describe('presence', () => {
  test('is of the topics of the map, which topics.tst.ts declares', () => {
    expect(app.presence).type.toBe<Presence>()
    expect(app.presence.list('user:7')).type.toBe<PresenceMember[]>()
    expect(app.presence.count('prices')).type.toBe<number>()
    // @ts-expect-error not assignable to parameter of type
    app.presence.list('rooms')
  })

  test('says which nodes there are', () => {
    expect(app.presence.node).type.toBe<string>()
    expect(app.presence.nodes).type.toBe<readonly string[]>()
  })

  test('tells who joins and who leaves', () => {
    app.presence.on('join', (topic, member) => {
      expect(topic).type.toBe<'prices' | `user:${string}`>()
      expect(member).type.toBe<PresenceMember>()
      expect(member.name).type.toBe<string | null>()
      expect(member.data).type.toBe<unknown>()
      // @ts-expect-error Cannot assign to 'since'
      member.since = 1
    })
    // @ts-expect-error is not assignable to parameter of type 'never'
    app.presence.on('joined', () => {})
  })

  test('is asked for by a subscription', () => {
    const connection = {} as Connection
    expect(connection.subscribe).type.toBeCallableWith('prices', { presence: true })
    expect(connection.subscribe).type.toBeCallableWith(['prices', 'user:1'], { presence: { color: 'teal' }, after: 'earliest' })
  })
})

describe('what is sent to a connection', () => {
  test('goes to an id or to a name, and not to both', () => {
    expect(app.connections.send({ id: 'x' }, { any: 'data' })).type.toBe<Promise<boolean>>()
    expect(app.connections.send).type.toBeCallableWith({ name: 'ada' }, 'text', { event: 'note', retry: 1, timeout: 100 })
    expect<SendTarget>().type.not.toBeAssignableFrom<{ id: string, name: string }>()
    expect(app.connections.send).type.not.toBeCallableWith('ada', 1)
    expect(app.connections.send).type.not.toBeCallableWith({}, 1)
  })

  test('has no id: ids are positions', () => {
    expect<SendOptions>().type.not.toHaveProperty('id')
    expect(app.connections.send).type.not.toBeCallableWith({ id: 'x' }, 1, { id: '1' })
  })
})
