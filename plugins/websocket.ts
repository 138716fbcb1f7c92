/** WebSockets: @fastify/websocket upgrades them, and Pastelli says with which subprotocol and how they end. */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import websocket, { type WebSocket } from '@fastify/websocket'
import type { FastifyInstance, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { asksForWebSocket } from '../lib/connection/upgrade.ts'
import type { Settings, WebSocketSettings } from '../lib/options.ts'
import { kHost, kSockets } from '../lib/symbols.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** @internal */
    readonly [kSockets]: Sockets | null
  }
}

export interface Sockets {
  readonly settings: Readonly<WebSocketSettings>
  /** What was agreed on with a client, by its request; null for none. */
  readonly protocols: WeakMap<IncomingMessage, string | null>
  /** Bytes of a message, at most. */
  readonly maxPayload: number
  /** Those that Pastelli carries. */
  readonly ours: WeakSet<object>
  /** Closes all that it does not, and cuts what is left after so long, ms. */
  readonly endOthers: (deadline: number) => Promise<void>
}

const PROTOCOL = /^sec-websocket-protocol:/i

async function sockets (fastify: FastifyInstance, { settings: { websocket: settings } }: { settings: Readonly<Settings> }): Promise<void> {
  const isGiven = fastify.hasDecorator('websocketServer')
  // Whoever else listens, such as socket.io, would answer the same upgrades.
  if (settings === false || (!isGiven && fastify.server.listenerCount('upgrade') !== 0)) {
    fastify.decorate(kSockets, null)
    return
  }
  if (isGiven) fastify.addHook('preClose', async () => { joinTheirs(fastify) })   // ahead of the shutdown, which takes its time
  else await register(fastify, settings)
  const { websocketServer } = fastify
  const protocols = new WeakMap<IncomingMessage, string | null>()
  websocketServer.on('headers', (headers, request) => {
    const protocol = protocols.get(request)
    if (protocol === undefined) return
    const index = headers.findIndex((line) => PROTOCOL.test(line))
    if (index !== -1) headers.splice(index, 1)
    if (protocol !== null) headers.push(`Sec-WebSocket-Protocol: ${protocol}`)
  })
  const ours = new WeakSet()
  const endOthers = async (deadline: number) => { await end(clientsOf(websocketServer).filter((client) => !ours.has(client)), deadline) }
  // To ws, 0 is no limit.
  const maxPayload = Math.min(settings.maxPayload, websocketServer.options.maxPayload || Infinity)
  fastify.decorate(kSockets, { settings, protocols, maxPayload, ours, endOthers })
}

async function register (fastify: FastifyInstance, { maxPayload }: Readonly<WebSocketSettings>): Promise<void> {
  const handlers = new WeakMap<RouteOptions, RouteOptions['handler']>()
  fastify.addHook('onRoute', (route) => { handlers.set(route, route.handler) })
  await fastify.register(websocket, { options: { maxPayload, perMessageDeflate: false }, preClose: (done) => { done() } })
  guardUpgrades(fastify.server)
  fastify.addHook('onRoute', (route) => { answerOthers(route, handlers.get(route) as RouteOptions['handler']) })
}

// Node's parser lets go of the socket, and until somebody upgrades it nobody reads it, nor sees its client leave.
function guardUpgrades (server: Server): void {
  for (const listener of server.listeners('upgrade')) {
    server.removeListener('upgrade', listener as () => void)
    server.on('upgrade', (request, socket, head) => {
      if (isBusy(request, socket)) {
        socket.destroy()
        return
      }
      const { bytesWritten } = socket as Socket
      listener.call(server, request, socket, head)
      // What Fastify answers before it has found a route, such as a path that is none, is followed by no hook.
      const isAnswered = (socket as Socket).bytesWritten !== bytesWritten && socket.readableFlowing === null
      if (isAnswered) (socket as Socket).destroySoon()
    })
  }
}

// Whether an answer that was asked for before is still to come over the socket. A client waits for it before it asks for
// an upgrade: one that does not has left what it asked for.
function isBusy (request: IncomingMessage, socket: Duplex): boolean {
  const response = new ServerResponse(request)
  try {
    response.assignSocket(socket as Socket)
    response.detachSocket(socket as Socket)
    return false
  } catch {
    return true
  }
}

// Where somebody listens for upgrades, Node takes every request that offers one for an upgrade, such as curl's and Java's
// for `h2c`, and @fastify/websocket would refuse it. They get what they asked for, as if nobody had listened.
function answerOthers (route: RouteOptions, plain: RouteOptions['handler']): void {
  const { handler } = route
  route.handler = function (request, reply) {
    if (!request.ws || asksForWebSocket(request.headers)) return handler.call(this, request, reply)
    reply.header('connection', 'close')
    const socket = reply.raw.socket as Duplex
    socket.once('end', () => { socket.destroy() }).resume()   // what Node's parser did, which has let go of it
    return plain.call(this, request, reply)
  }
}

// The app's own may have been told not to keep a list.
function clientsOf ({ clients }: { clients?: Set<WebSocket> }): WebSocket[] {
  return [...clients ?? []]
}

async function end (clients: readonly WebSocket[], deadline: number): Promise<void> {
  const cutter = new AbortController()
  const cutting = delay(deadline, undefined, { signal: cutter.signal }).then(() => {
    for (const client of clients) client.terminate()
  }, () => {})
  await Promise.all(clients.map((client) => new Promise((resolve) => {
    client.once('close', resolve)
    client.close(1001)
  })))
  cutter.abort()
  await cutting
}

// Its own way is to close all WebSockets at once and without a code, unless the app has told it otherwise. Ours have then
// been closed a moment ago, and it was the shutdown that did it.
function joinTheirs (fastify: FastifyInstance): void {
  const clients = clientsOf(fastify.websocketServer)
  const isOver = clients.length !== 0 && clients.every(({ readyState, OPEN }) => readyState !== OPEN)
  if (!isOver) return
  for (const connection of fastify[kHost].registry) {
    if (connection.transport === 'websocket') connection.close('shutdown')
  }
}

export default fp(sockets, { name: 'pastelli/websocket', fastify: '5.x', dependencies: ['pastelli/host'] })
