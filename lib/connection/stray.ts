/** Sockets that carry open streams: what arrives on them and is no request must not be answered into a stream. */
import type { Duplex } from 'node:stream'

// How many: a pipelined stream waits behind another one.
const streams = new WeakMap<Duplex, number>()

export function markStreaming (socket: Duplex): void {
  streams.set(socket, (streams.get(socket) ?? 0) + 1)
}

/** Once for each `markStreaming`. */
export function unmarkStreaming (socket: Duplex): void {
  const left = (streams.get(socket) ?? 1) - 1
  if (left === 0) streams.delete(socket)
  else streams.set(socket, left)
}

/** For the server's `clientError`, ahead of those who answer it: the client that broke its stream has left it. */
export function cutIfStreaming (_error: Error, socket: Duplex): void {
  if (streams.has(socket)) socket.destroy()
}
