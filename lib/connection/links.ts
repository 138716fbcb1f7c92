/** Connections tied to signals: one listener for each signal, however many connections share it. */

/** What is cut when the signal aborts. */
interface Linked { destroy: (reason: 'error') => void }

interface Bundle { connections: Set<Linked>, cut: () => void }

const bundles = new WeakMap<AbortSignal, Bundle>()

/** @param signal not aborted yet */
export function link (signal: AbortSignal, connection: Linked): void {
  const { connections } = bundles.get(signal) ?? bundle(signal)
  connections.add(connection)
}

/** Takes the listener away with the last connection. */
export function unlink (signal: AbortSignal, connection: Linked): void {
  const bundle = bundles.get(signal)
  if (bundle === undefined || !bundle.connections.delete(connection) || bundle.connections.size !== 0) return
  bundles.delete(signal)
  signal.removeEventListener('abort', bundle.cut)
}

function bundle (signal: AbortSignal): Bundle {
  const connections = new Set<Linked>()
  const cut = () => {
    for (const connection of connections) connection.destroy('error')
  }
  const made = { connections, cut }
  bundles.set(signal, made)
  signal.addEventListener('abort', cut, { once: true })
  return made
}
