/** Sockets that have brought no request yet: to Node they are not idle, and would hold up the end of their server. */
import type { EventEmitter } from 'node:events'
import { type IncomingMessage, Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer, type TLSSocket } from 'node:tls'

export interface Spares {
  /** Cuts those that nothing has come over: browsers open some in advance, and a request that came now would be told 503. */
  cutUnused: () => void
  /** Cuts also those that a part of a head has come over: once its server has closed, Node gives the rest any time. */
  cut: () => void
}

/** @param server of HTTP/2 in clear text it has none: there every socket has a session from the start */
export function trackSpares (server: EventEmitter): Spares {
  const isSecure = server instanceof TlsServer
  const spares = new Set<Socket>()
  // TCP with a handshake of TLS under way, by its other end: the socket that comes of it is another one.
  const handshakes = new Map<string, Socket>()
  function forget (this: Socket): void {
    spares.delete(this)
  }
  const add = (socket: Socket) => {
    spares.add(socket)
    socket.on('close', forget)
  }

  if (isSecure) {
    server.on('connection', (socket: Socket) => {
      const end = otherEnd(socket)
      handshakes.set(end, socket)
      socket.once('close', () => { if (handshakes.get(end) === socket) handshakes.delete(end) })
    })
    server.on('secureConnection', (socket: TLSSocket) => {
      handshakes.delete(otherEnd(socket))
      if (socket.alpnProtocol !== 'h2') add(socket)
    })
  } else if (server instanceof HttpServer) {
    server.on('connection', add)
  }
  server.on('request', ({ socket }: IncomingMessage) => {
    if (spares.delete(socket)) socket.removeListener('close', forget)
  })

  return {
    cutUnused () {
      for (const socket of handshakes.values()) socket.destroy()
      // Who has read a handshake may have read more, or not.
      for (const socket of spares) if (isUnanswered(socket) && (isSecure || socket.bytesRead === 0)) socket.destroy()
    },
    cut () {
      for (const socket of spares) if (isUnanswered(socket)) socket.destroy()
    }
  }
}

// What asks for an upgrade, and gets it or another answer, is no `request` to Node; and to listen for upgrades would make all
// that offer one wait for an answer from here.
function isUnanswered ({ bytesWritten }: Socket): boolean {
  return bytesWritten === 0
}

function otherEnd ({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
