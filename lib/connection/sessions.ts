/** Sessions of HTTP/2 and their sockets: Node's `destroy` of a session waits for a write that nobody takes, as long as the kernel does. */
import type { Http2Session } from 'node:http2'
import type { Socket } from 'node:net'

interface Server {
  prependListener: (event: string, listener: (socket: Socket) => void) => unknown
  on: (event: 'session', listener: (session: Http2Session) => void) => unknown
}

const sockets = new WeakMap<Http2Session, Socket>()

/** From now on the server's sessions can be cut. Before anybody else listens to them. */
export function noteSockets (server: Server): void {
  let newest: Socket | null = null
  for (const event of ['connection', 'secureConnection']) server.prependListener(event, (socket) => { newest = socket })
  // In the same turn, before another one comes.
  server.on('session', (session) => {
    if (newest !== null) sockets.set(session, newest)
    newest = null
  })
}

/** At once, with all of its streams. */
export function cut (session: Http2Session): void {
  session.destroy()
  sockets.get(session)?.destroy()
}
