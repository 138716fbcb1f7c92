/** Responses that wait in a pipeline and have no socket of their own yet: one listener tells all of them that theirs has closed. */
import type { Socket } from 'node:net'

const waiting = new WeakMap<Socket, Set<() => void>>()

/** @returns takes it back */
export function onceClosed (socket: Socket, gone: () => void): () => void {
  const all = waiting.get(socket) ?? watch(socket)
  all.add(gone)
  return () => { all.delete(gone) }
}

function watch (socket: Socket): Set<() => void> {
  const all = new Set<() => void>()
  waiting.set(socket, all)
  socket.once('close', () => {
    for (const gone of all) gone()
  })
  return all
}
