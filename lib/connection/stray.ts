/** Sockets that carry an open stream: what arrives on them and is no request must not be answered into the stream. */
import type { Duplex } from 'node:stream'

const streaming = new WeakSet<Duplex>()

export function markStreaming (socket: Duplex): void {
  streaming.add(socket)
}

export function unmarkStreaming (socket: Duplex): void {
  streaming.delete(socket)
}

/** For the server's `clientError`, ahead of those who answer it: the client that broke its stream has left it. */
export function cutIfStreaming (_error: Error, socket: Duplex): void {
  if (streaming.has(socket)) socket.destroy()
}
