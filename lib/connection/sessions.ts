/** Sessions of HTTP/2 and their sockets: Node's `destroy` of a session waits for a write that nobody takes, as long as the kernel does. */
import { Server as HttpServer } from 'node:http'
import type { Http2Session } from 'node:http2'
import { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'

interface Server {
  prependListener: (event: string, listener: (socket: Socket) => void) => unknown
  on: (event: 'session', listener: (session: Http2Session) => void) => unknown
}

const sockets = new WeakMap<Http2Session, Socket>()

/** From now on the server's sessions, if it can have any, can be cut. Before anybody else listens to them. */
export function noteSockets (server: Server): void {
  if (server instanceof HttpServer || server instanceof HttpsServer) return
  // A socket of HTTP/1 brings no session, and may have closed long before another one comes.
  let newest: WeakRef<Socket> | null = null
  for (const event of ['connection', 'secureConnection']) server.prependListener(event, (socket) => { newest = new WeakRef(socket) })
  // In the same turn, before another one comes.
  server.on('session', (session) => {
    const socket = newest?.deref()
    if (socket !== undefined) sockets.set(session, socket)
    newest = null
  })
}

/** At once, with all of its streams. */
export function cut (session: Http2Session): void {
  session.destroy()
  sockets.get(session)?.destroy()
}
