/** The route of clients that have WebSockets. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Connection } from '../lib/connection/connection.ts'
import { PST_ERR_REFUSED } from '../lib/errors.ts'
import type {} from '../routes/stream.ts'
import { admit, readQuery } from './handshake.ts'
import { Memberships, type Send, type Shared } from './memberships.ts'
import { encode } from './message.ts'
import type { Parsed } from './options.ts'
import { toWebSocket } from './publish.ts'

// Text counts as an event, as broadcasts do.
const send: Send = (connection, message) => {
  const data = encode(message)
  return typeof data === 'string' ? connection.event(data) : connection.chunk(data)
}

export function webSocket (fastify: FastifyInstance, { connect, stream, websocket }: Parsed, shared: Shared): void {
  const states = new WeakMap<FastifyRequest, object>()
  const clients = new WeakMap<Connection, Memberships>()

  fastify.stream('/websocket', {
    ...stream,
    exposeHeadRoute: false,
    preHandler: async (request) => {
      if (request.headers.upgrade === undefined) return   // it will be told what to ask for
      const state = await admit(connect, readQuery(request.query, () => false), request)
      if (state === false) throw new PST_ERR_REFUSED()
      states.set(request, state)
    },
    websocket: {
      ...websocket,
      protocols: ['phoenix'],
      encode: toWebSocket,
      init (request, connection) {
        const state = states.get(request) as object
        connection.state = state
        clients.set(connection, new Memberships(connection, state, shared, send))
      },
      handle (message, connection) { clients.get(connection)?.receive(message) }
    }
  })
}
