/** Sockets that carry open streams: what arrives on them and is no request must not be answered into a stream. */
import type { Duplex } from 'node:stream'

// On a socket: how many, since a pipelined stream waits behind another one.
const kStreams = Symbol('pastelli.streams')

interface Carrier extends Duplex { [kStreams]?: number }

export function markStreaming (socket: Carrier): void {
  socket[kStreams] = (socket[kStreams] ?? 0) + 1
}

/** Once for each `markStreaming`. */
export function unmarkStreaming (socket: Carrier): void {
  socket[kStreams] = Math.max(0, (socket[kStreams] ?? 0) - 1)
}

/** For the server's `clientError`, ahead of those who answer it: the client that broke its stream has left it. */
export function cutIfStreaming (_error: Error, socket: Carrier): void {
  if ((socket[kStreams] ?? 0) > 0) socket.destroy()
}
