/** What a server has left of connections when they have gone. Run it with `--expose-gc`. */
import { type EventEmitter, getEventListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** What must be at the end as it was at the start. */
export interface Remains {
  /** Connections in the registry. */
  registry: number
  /** Sockets of the server. */
  sockets: number
  /** How often each kind of thing keeps the event loop alive. */
  resources: Record<string, number>
  /** How many listen to each event of what outlives a connection. */
  listeners: Record<string, number>
  /** Bytes of JavaScript objects, after a garbage collection. */
  heap: number
}

const QUIET_LIMIT = 15_000

/**
 * Waits until all connections have gone, but not for ever.
 * @param signals of the app's own, which outlive connections
 */
export async function remains (app: FastifyInstance, signals: Record<string, AbortSignal> = {}): Promise<Remains> {
  const until = Date.now() + QUIET_LIMIT
  while ((app.connections.size !== 0 || await sockets(app) !== 0) && Date.now() < until) await delay(50)
  const heap = await settledHeap()   // takes longer than a handler does
  return {
    registry: app.connections.size,
    sockets: await sockets(app),
    resources: count(process.getActiveResourcesInfo()),
    listeners: {
      ...listenersOf('registry', app.connections),
      ...listenersOf('server', app.server),
      ...listenersOf('process', process),
      ...Object.fromEntries(Object.entries(signals).map(([name, signal]) => [`${name} abort`, getEventListeners(signal, 'abort').length]))
    },
    heap
  }
}

function sockets (app: FastifyInstance): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => { error ? reject(error) : resolve(count) })
  })
}

// What finalizers and weak references hold goes away with the second collection or the third.
async function settledHeap (): Promise<number> {
  for (let i = 0; i < 4; i++) {
    global.gc?.()
    await delay(100)
  }
  return process.memoryUsage().heapUsed
}

function count (names: string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

function listenersOf (name: string, emitter: EventEmitter): Record<string, number> {
  return Object.fromEntries(emitter.eventNames().map((event) => [`${name} ${String(event)}`, emitter.listenerCount(event)]))
}
