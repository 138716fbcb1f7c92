/** The route of clients that have no WebSockets: they poll for messages, and post theirs. */
import { Http2ServerResponse } from 'node:http2'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Connection } from '../lib/connection/connection.ts'
import { Formats } from '../lib/connection/formats.ts'
import type { Host } from '../lib/connection/host.ts'
import { makeId } from '../lib/connection/id.ts'
import type { CustomFormat } from '../lib/wire/format.ts'
import { connect } from '../plugins/reply.ts'
import { admit, readQuery } from './handshake.ts'
import { Memberships, type Send, type Shared } from './memberships.ts'
import { encodeText } from './message.ts'
import type { Parsed } from './options.ts'
import { type Polled, PollTransport } from './poll-transport.ts'
import { toLine } from './publish.ts'

interface Session { connection: Connection, transport: PollTransport, memberships: Memberships }

/** What clients read: the status is in the body, whatever that of the response is. */
interface Body { status: number, token?: string, messages?: string[] }

const LINES: CustomFormat = { type: 'application/x-ndjson', encode: toLine }
const formats = new Formats([LINES])
// There is no response to take over.
const none = () => false
const OPENING = { contentType: undefined, isUnderWay: true, begin: none, declare: none, start: none, fail: none, abandon: none }

// In text, also where the payload is bytes: the client takes nothing else.
const send: Send = (connection, message) => connection.event(encodeText(message))

// OpenAPI is for those who would call it by themselves.
const UNDESCRIBED = { hide: true }

const MARK = 'pst.'
const isToken = (value: unknown) => typeof value === 'string' && /^pst\.[\w-]{22}$/.test(value)

export function longPoll (fastify: FastifyInstance, ownHost: Host, { connect: mayConnect, pollWindow, pollTimeout }: Parsed, shared: Shared): void {
  const host = { ...ownHost, formats }
  // By a token that only the client has: the id of the connection is no secret.
  const sessions = new Map<string, Session>()

  const open = (request: FastifyRequest, reply: FastifyReply, state: object): string => {
    const connection = connect(request, reply, host, OPENING, { route: request.routeOptions.url ?? '', choice: formats.choose(undefined), isNegotiated: false, coding: null, protocol: null })
    const token = MARK + makeId()
    const transport = new PollTransport({
      window: pollWindow,
      timeout: pollTimeout,
      slack: host.settings.highWaterMark,
      ended: () => { connection.ended('server') },
      lost: () => { connection.destroy('timeout') }
    })
    const memberships = new Memberships(connection, state, shared, send)
    connection.state = state
    sessions.set(token, { connection, transport, memberships })
    void connection.closed.then(() => { sessions.delete(token) })
    connection.open(transport, LINES.type)
    return token
  }

  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => { done(null, body) })
  // A client that was answered by other means would wait for ever.
  fastify.setErrorHandler((err: FastifyError, request, reply): Body => {
    const isRefused = [400, 401, 403].includes(err.statusCode ?? 500)
    const isOurs = err.statusCode === undefined || err.statusCode >= 500
    request.log[isOurs ? 'error' : 'info']({ err }, 'a poll failed')
    void reply.code(200)
    return { status: isRefused ? 403 : 500 }
  })

  fastify.get('/longpoll', { exposeHeadRoute: false, schema: UNDESCRIBED }, async (request, reply): Promise<Body> => {
    void reply.header('cache-control', 'no-store')
    const query = readQuery(request.query, isToken)
    const { token } = query
    if (token !== null) return { ...await poll(sessions.get(token), reply), token }
    const state = await admit(mayConnect, query, request)
    return state === false ? { status: 403 } : { status: 410, token: open(request, reply, state), messages: [] }
  })

  fastify.post('/longpoll', { schema: UNDESCRIBED }, async (request): Promise<Body> => {
    const session = sessions.get(readQuery(request.query, isToken).token ?? '')
    if (session === undefined) return { status: 410 }
    const { connection, memberships } = session
    for (const line of String(request.body ?? '').split(/\r?\n/)) {
      if (line !== '') memberships.receive(line.startsWith('[') ? line : Buffer.from(line, 'base64'))
    }
    return { status: connection.reason === null ? 200 : 410 }
  })
}

// A client whose poll is cut never comes back with the same token, and what it was answered may be lost.
async function poll (session: Session | undefined, { raw }: FastifyReply): Promise<Polled> {
  if (session === undefined) return { status: 410, messages: [] }
  const gone = () => { session.connection.destroy('client') }
  raw.once('close', () => {
    // Over HTTP/2 a response is called finished even if it was never ended.
    if (!raw.writableEnded || !raw.writableFinished) gone()
  })
  if ((raw instanceof Http2ServerResponse ? raw.stream : raw).destroyed) gone()   // while a hook of the app's took its time
  return await session.transport.poll()
}
