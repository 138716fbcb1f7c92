/** The WebSocket of a stream route: who is let in, and how the upgraded socket becomes a connection like any other. */
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Connection } from '../lib/connection/connection.ts'
import { Dialogue, type Parts } from '../lib/connection/dialogue.ts'
import type { Host } from '../lib/connection/host.ts'
import type { Opening } from '../lib/connection/opening.ts'
import { allowsOrigin } from '../lib/connection/origins.ts'
import type { CloseReason } from '../lib/connection/reasons.ts'
import { WebSocketTransport, type Wire } from '../lib/connection/websocket.ts'
import { PST_ERR_NO_WEBSOCKETS, PST_ERR_OPTION, PST_ERR_ORIGIN, PST_ERR_UPGRADE_REQUIRED } from '../lib/errors.ts'
import { completeWebSocket, show, type WebSocketSettings } from '../lib/options.ts'
import { kSockets } from '../lib/symbols.ts'
import type { Format } from '../lib/wire/format.ts'
import { type EncodeMessage, messagesOf, webSocket } from '../lib/wire/websocket.ts'
import { connect, type Upgrade } from '../plugins/reply.ts'
import type { Sockets } from '../plugins/websocket.ts'
import { type RouteTopics, subscribeTo } from './subscribing.ts'

/**
 * What a part of a handler answers: nothing, or what is sent and how it closes. A reply that is text or bytes is a
 * message as it is, anything else goes out as JSON. `close` is true, a close code, or a code with a reason of up to 123
 * bytes. What a verb of the connection answered is nothing.
 */
export type WebSocketAnswer = void | boolean | undefined | {
  reply?: unknown
  close?: boolean | number | { code?: number | undefined, reason?: string | undefined } | undefined
}

type Answer = WebSocketAnswer | Promise<WebSocketAnswer>

/**
 * Serves a route's WebSockets. Of each connection, one part runs at a time, in the order in which things come; what comes
 * meanwhile waits, and above 64 messages or `highWaterMark` bytes the client is not read from. A part that fails closes
 * with 1011 and the reason `error`, and is logged.
 */
export interface WebSocketHandler<Request = FastifyRequest, Instance = FastifyInstance> extends Partial<WebSocketSettings<Request>> {
  /** The WebSocket is open. */
  init?: (this: Instance, request: Request, connection: Connection) => Answer
  /** A message came: a string is text, a Buffer is binary. Without it, messages are passed over. */
  handle?: (this: Instance, message: string | Buffer, connection: Connection) => Answer
  /** The app gave `connection.info` a message. */
  info?: (this: Instance, message: never, connection: Connection) => Answer
  /** The connection has ended; called once, last of all. */
  terminate?: (this: Instance, reason: CloseReason, connection: Connection) => void | Promise<void>
  /**
   * How events are sent: a string as a text message, bytes as a binary one.
   * @default JSON text: `{ id, event, retry, data }`, with what the event has
   */
  encode?: EncodeMessage
  /** The subprotocols that it speaks: the first of the client's that is among them is agreed on. */
  protocols?: readonly string[]
}

/** What `upgrading` needs to know of the route. */
interface Route {
  readonly websocket: WebSocketHandler
  readonly topics: RouteTopics<FastifyRequest> | undefined
  readonly method: string | string[]
  readonly host: Host
  readonly isAll: boolean
}

type Upgraded = Wire & Pick<NodeJS.EventEmitter, 'listeners' | 'removeListener'>

const PARTS = ['init', 'handle', 'info', 'terminate'] as const
const FUNCTIONS = [...PARTS, 'encode'] as const

// [RFC 9110, 5.6.2]
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** Answers requests for what is to be had over a WebSocket only. */
export const refuseAllElse: RouteOptions['handler'] = (request, reply) => {
  reply.header('upgrade', 'websocket')
  if (request.raw.httpVersionMajor === 1) reply.header('connection', 'upgrade')
  throw new PST_ERR_UPGRADE_REQUIRED()
}

/**
 * What the route does with upgrades, and with what comes out of them.
 * @throws PST_ERR_OPTION, PST_ERR_NO_WEBSOCKETS
 */
export function upgrading (fastify: FastifyInstance, route: Route): { upgrade: Upgrade, wsHandler: (this: FastifyInstance, socket: Upgraded, request: FastifyRequest) => void } {
  const { websocket: handler, topics, host } = route
  const sockets = needSockets(fastify)
  const settings = check(route, sockets)
  const format = handler.encode === undefined ? webSocket : messagesOf(handler.encode)
  const admitted = new WeakMap<FastifyRequest, { connection: Connection, socket: Duplex, release: () => void }>()

  const enter = (request: FastifyRequest, reply: FastifyReply, upgrade: () => unknown) => {
    const socket = reply.raw.socket as Duplex
    const protocol = protocolFor(request, handler.protocols ?? [])
    const connection = connect(request, reply, host, openingOf(format, socket), { route: request.routeOptions.url ?? '', choice: format, isNegotiated: false, coding: null, protocol })
    const release = watch(socket, connection)
    const refuse = (error: unknown) => {
      release()
      connection.ended('server')
      throw error
    }
    const goOn = () => {
      if (connection.phase === 'closed') {
        reply.hijack()
        return
      }
      sockets.protocols.set(request.raw, protocol)
      admitted.set(request, { connection, socket, release })
      upgrade()
    }
    try {
      const subscribed = topics === undefined ? undefined : subscribeTo(topics, request, connection)
      if (subscribed instanceof Promise) return subscribed.then(goOn, refuse)
    } catch (error) {
      refuse(error)
    }
    goOn()
  }

  const admit: Upgrade['admit'] = (request, reply, upgrade) => {
    const allowed = allowsOrigin(settings.allowedOrigins, request.headers.origin, request.host, request)
    if (allowed instanceof Promise) return allowed.then((isAllowed) => enter(checkOrigin(request, isAllowed), reply, upgrade))
    return enter(checkOrigin(request, allowed), reply, upgrade)
  }

  function wsHandler (this: FastifyInstance, wire: Upgraded, request: FastifyRequest): void {
    const { connection, socket, release } = admitted.get(request) as { connection: Connection, socket: Duplex, release: () => void }
    release()
    // @fastify/websocket's own, which it has added just now: it would log what a client does wrong as an error, and cut it
    // before it learns its close code.
    wire.removeListener('error', wire.listeners('error').at(-1) as () => void)
    sockets.ours.add(wire)
    const transport = new WebSocketTransport(wire, socket)
    const dialogue = new Dialogue(connection, wire, transport, partsOf(handler, this, request, connection), settings.maxPayload)
    connection.open(transport, format.contentType)
    dialogue.begin()
  }
  return { upgrade: { isAll: route.isAll, admit }, wsHandler }
}

function needSockets ({ [kSockets]: sockets }: FastifyInstance): Sockets {
  if (sockets === null) throw new PST_ERR_NO_WEBSOCKETS()
  return sockets
}

function check ({ websocket, topics, method, isAll }: Route, { settings, maxPayload }: Sockets): Readonly<WebSocketSettings> {
  if (typeof websocket !== 'object' || websocket === null) throw new PST_ERR_OPTION('websocket', 'a handler: an object with init, handle, info or terminate', show(websocket))
  const own = completeWebSocket(websocket, { ...settings, maxPayload }, [...FUNCTIONS, 'protocols'])
  for (const name of FUNCTIONS) {
    const part: unknown = websocket[name]
    if (part !== undefined && typeof part !== 'function') throw new PST_ERR_OPTION(`websocket.${name}`, 'a function', show(part))
  }
  if (topics === undefined && PARTS.every((name) => websocket[name] === undefined)) throw new PST_ERR_OPTION('websocket', `a handler with at least one of ${PARTS.join(', ')} where no topics are given`, 'none of them')
  const { protocols = [] } = websocket
  if (!Array.isArray(protocols) || !protocols.every((name) => typeof name === 'string' && TOKEN.test(name))) throw new PST_ERR_OPTION('websocket.protocols', 'a list of names of subprotocols', show(protocols))
  if (own.maxPayload > maxPayload) throw new PST_ERR_OPTION('websocket.maxPayload', `at most that of the server (${maxPayload})`, show(own.maxPayload))
  if (String(method).toUpperCase() !== 'GET') throw new PST_ERR_OPTION('method', 'GET on a route with a websocket', show(method))
  return own
}

// Until it is upgraded nobody reads the socket, and without a read nobody learns that its client has left. Answers what
// ends the watch.
function watch (socket: Duplex, connection: Connection): () => void {
  const gone = () => {
    connection.ended('client')
    socket.destroy()
  }
  socket.once('close', gone)
  socket.once('end', gone)
  if (socket.destroyed) gone()
  else socket.read(0)
  return () => {
    socket.removeListener('close', gone)
    socket.removeListener('end', gone)
  }
}

function checkOrigin (request: FastifyRequest, isAllowed: boolean): FastifyRequest {
  if (isAllowed !== true) throw new PST_ERR_ORIGIN()
  return request
}

// The client's wish counts.
function protocolFor ({ headers }: FastifyRequest, known: readonly string[]): string | null {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  return offered.find((name) => known.includes(name)) ?? null
}

// Nothing holds an upgrade up but the app's own answer whether the client may be subscribed.
function openingOf ({ contentType }: Format, socket: Duplex): Opening {
  const goOn = () => {}
  return { contentType, isUnderWay: true, begin: goOn, declare: goOn, start: goOn, fail: () => false, abandon: () => { socket.destroy() } }
}

function partsOf ({ init, handle, info, terminate }: WebSocketHandler, instance: FastifyInstance, request: FastifyRequest, connection: Connection): Parts {
  return {
    init: init === undefined ? null : () => init.call(instance, request, connection),
    handle: handle === undefined ? null : (message) => handle.call(instance, message, connection),
    info: info === undefined ? null : (message) => info.call(instance, message as never, connection),
    terminate: terminate === undefined ? null : (reason) => terminate.call(instance, reason, connection)
  }
}
