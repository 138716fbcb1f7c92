/** A connection and the registry that lists it, with the app's own state. */
import fastify from 'fastify'
import pastelli, { type CloseReason, type Connection, type Phase, type Registry, type TransportName } from 'pastelli'
import { describe, expect, test } from 'tstyche'

declare module 'pastelli' {
  interface ConnectionState { user?: string }
}

const app = fastify()
app.register(pastelli)

describe('a connection', () => {
  app.stream('/', (_request, { connection }) => {
    test('has the state of the app', () => {
      expect(connection.state.user).type.toBe<string | undefined>()
      connection.state.user = 'ada'
      connection.state = {}
      // @ts-expect-error Type 'number' is not assignable to type 'string'
      connection.state.user = 7
      // @ts-expect-error Property 'role' does not exist
      connection.state.role = 'admin'
    })

    test('says what it is', () => {
      expect(connection.id).type.toBe<string>()
      expect(connection.route).type.toBe<string>()
      expect(connection.lastEventId).type.toBe<string | null>()
      expect(connection.transport).type.toBe<TransportName | null>()
      expect(connection.phase).type.toBe<Phase>()
      expect(connection.reason).type.toBe<CloseReason | null>()
      expect(connection.name).type.toBe<string | null>()
      expect(connection.openedAt).type.toBe<number>()
      expect(connection.queued).type.toBe<number>()
    })

    test('tells that it ends, and why', () => {
      expect(connection.signal).type.toBe<AbortSignal>()
      expect(connection.closed).type.toBe<Promise<CloseReason>>()
    })

    test('ends for one of the reasons', () => {
      expect(connection.close).type.toBeCallableWith()
      expect(connection.close).type.toBeCallableWith('expired')
      expect(connection.close).type.not.toBeCallableWith('because')
      expect(connection.destroy).type.toBeCallableWith('overflow')
      expect(connection.destroy).type.not.toBeCallableWith('because')
      expect(connection.destroy).type.not.toBeCallableWith(new Error('because'))
    })

    test('is linked to a signal', () => {
      expect(connection.link).type.toBeCallableWith(AbortSignal.timeout(1))
      expect(connection.link).type.not.toBeCallableWith(new AbortController())
    })

    test('takes a name, and keeps its id', () => {
      connection.name = 'ada'
      connection.name = null
      // @ts-expect-error Cannot assign to 'id'
      connection.id = 'mine'
      // @ts-expect-error Cannot assign to 'closed'
      connection.closed = Promise.resolve('client')
    })

    test('sends comments, of text', () => {
      expect(connection.comment('x')).type.toBe<boolean | Promise<boolean>>()
      expect(connection.comment).type.not.toBeCallableWith({ x: 1 })
    })
  })

  test('has a state of its own where it is told so', () => {
    expect<Connection<{ room: number }>['state']>().type.toBe<{ room: number }>()
    expect<Connection>().type.not.toBeAssignableFrom<{ id: string }>()
  })
})

describe('a close reason', () => {
  test('is one of seven', () => {
    expect<CloseReason>().type.toBe<'client' | 'server' | 'shutdown' | 'overflow' | 'expired' | 'timeout' | 'error'>()
  })
})

describe('the registry', () => {
  test('lists connections', () => {
    expect(app.connections).type.toBe<Registry>()
    expect([...app.connections]).type.toBe<Connection[]>()
    expect(app.connections.size).type.toBe<number>()
    expect(app.connections.get('id')).type.toBe<Connection | undefined>()
    expect(app.connections.named('ada')).type.toBe<Connection[]>()
    expect(app.connections.counts).type.toBe<Readonly<Record<CloseReason, number>>>()
  })

  test('tells of those that open', () => {
    app.connections.on('open', (connection) => {
      expect(connection).type.toBe<Connection>()
    })
    app.connections.once('open', async () => {})
    // @ts-expect-error Target signature provides too few arguments
    app.connections.on('open', (_connection: Connection, _reason: CloseReason) => {})
  })

  test('tells of those that close, and why', () => {
    app.connections.on('close', (connection, reason) => {
      expect(connection).type.toBe<Connection>()
      expect(reason).type.toBe<CloseReason>()
    })
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    app.connections.on('close', (_connection, _reason: number) => {})
  })

  test('tells of nothing else', () => {
    expect(app.connections.on).type.not.toBeCallableWith('closed', () => {})
    expect(app.connections.once).type.not.toBeCallableWith('error', () => {})
    expect(app.connections.off).type.not.toBeCallableWith('closed', () => {})
    expect(app.connections.addListener).type.not.toBeCallableWith('closed', () => {})
  })

  test('is there to be read', () => {
    // @ts-expect-error Cannot assign to 'connections'
    app.connections = new Map()
    // @ts-expect-error Cannot assign to 'size'
    app.connections.size = 0
    // @ts-expect-error Cannot assign to 'client'
    app.connections.counts.client = 0
  })
})
