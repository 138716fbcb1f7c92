/** A balancer of connections: each goes to the next node, or, if that does not take it, to the one behind it. */
import { connect, createServer, type Server, type Socket } from 'node:net'

/** @param ports of the nodes that are there now */
export function balance (ports: () => readonly number[]): Server {
  let turn = 0
  return createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
    const known = ports()
    const first = turn++ % Math.max(1, known.length)
    const others = [...known.slice(first), ...known.slice(0, first)]
    const tryNext = () => {
      const port = others.shift()
      if (port === undefined || client.destroyed) {
        client.destroy()
        return
      }
      const node = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      node.once('error', tryNext)
      node.once('connect', () => {
        node.off('error', tryNext)
        join(client, node)
      })
    }
    client.on('error', () => {})   // its close says enough
    tryNext()
  })
}

// Bytes as they come, both ways; and what ends one ends the other: a client that leaves, a node that dies.
function join (client: Socket, node: Socket): void {
  node.on('error', () => {})
  for (const [from, to] of [[client, node], [node, client]] as const) {
    from.on('close', (isCut) => {
      if (isCut) to.destroy()
      else to.destroySoon()
    })
    from.pipe(to)
  }
  if (client.destroyed) node.destroy()
}
