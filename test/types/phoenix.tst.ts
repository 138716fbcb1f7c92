/** Phoenix channels: what a channel gets and may answer, and what can be registered. */
import fastify from 'fastify'
import phoenix, { broadcast, type Channel, type ChannelSocket, type EndReason, type Outcome } from 'pastelli/phoenix'
import type { Connection, Sent } from 'pastelli'
import { describe, expect, test } from 'tstyche'

const app = fastify()

describe('a channel', () => {
  test('has the state that it says, and knows the ways to answer', () => {
    const room: Channel<{ user: string }> = {
      join (topic, payload, socket) {
        expect(topic).type.toBe<string>()
        expect(payload).type.toBe<unknown>()
        expect(socket).type.toBe<ChannelSocket<{ user: string }>>()
        expect(socket.state.user).type.toBe<string>()
        expect(socket.connection).type.toBe<Connection>()
        expect(socket.signal).type.toBe<AbortSignal>()
        return { ok: {} }
      },
      async handleIn (event, payload, socket) {
        expect(event).type.toBe<string>()
        expect(payload).type.toBe<unknown>()
        expect(socket.push('a', {})).type.toBe<Sent>()
        expect(socket.broadcast('a')).type.toBe<string | Promise<string>>()
        if (event === 'stop') return { stop: 'enough' }
        if (event === 'reply') return { reply: { error: 1 } }
      },
      terminate (reason) { expect(reason).type.toBe<EndReason>() }
    }
    expect(app.register).type.toBeCallableWith(phoenix, { channels: { 'rooms:*': room, lobby: { join: () => ({ ok: 1 }) } } })
  })

  test('answers a join', () => {
    expect<Channel>().type.not.toBeAssignableFrom({ handleIn () {} })
    expect<Channel>().type.not.toBeAssignableFrom({ join: () => undefined })
    expect<Channel>().type.not.toBeAssignableFrom({ join: () => ({ ok: {} }), handleIn: () => true })
    expect<Outcome>().type.toBeAssignableFrom({ ok: undefined })
    expect<Outcome>().type.not.toBeAssignableFrom({ ok: 1, error: 2 })
    expect<Outcome>().type.not.toBeAssignableFrom({})
  })
})

test('options', () => {
  const channels = { lobby: { join: () => ({ ok: 1 }) } }
  expect(app.register).type.toBeCallableWith(phoenix, {
    channels,
    path: '/live',
    prefix: '/v1',
    connect: async (params: Record<string, unknown>) => params['user'] === undefined ? false : { user: params['user'] },
    maxTopics: 3,
    pollWindow: 1,
    pollTimeout: 1,
    heartbeat: 1_000,
    maxConnectionsPerKey: 2,
    websocket: { allowedOrigins: '*' as const, maxPayload: 1 }
  })
  expect(app.register).type.not.toBeCallableWith(phoenix, {})
  expect(app.register).type.not.toBeCallableWith(phoenix, { channels, formats: ['text'] })
  expect(app.register).type.not.toBeCallableWith(phoenix, { channels, connect: () => true })
})

test('broadcasts come from anywhere in the app', () => {
  expect(broadcast(app, 'rooms:1', 'new:msg', { body: 'hello' })).type.toBe<string | Promise<string>>()
  expect(broadcast).type.not.toBeCallableWith({}, 'rooms:1', 'new:msg')
})
