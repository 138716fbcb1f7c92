/** The server of the soak: streams that use all a connection has, and events to all of them. Run with `--expose-gc`. */
import { type EventEmitter, getEventListeners } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import pastelli from '../index.ts'
import { answer } from './child.ts'

/** What must be at the end as it was at the start. */
export interface Reading {
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

/** What has happened so far. */
export interface Tally {
  opened: number
  closed: number
  /** Signals that aborted, and promises of the end that resolved: also of those that left before they opened. */
  aborted: number
  settled: number
  /** By close reason. */
  reasons: Record<string, number>
  events: number
}

const PUBLISH_EVERY = 100
const QUIET_LIMIT = 15_000
const LIFETIME = Number(process.argv[2]) * 1_000

const app = fastify()
const tasks = new AbortController()
const tally = { opened: 0, closed: 0, aborted: 0, settled: 0, events: 0 }

await app.register(pastelli, { heartbeat: 1_000, maxConnectionsPerKey: 1_000_000 })
app.connections.on('open', () => { tally.opened++ })
app.connections.on('close', ({ events }) => {
  tally.closed++
  tally.events += events
})

app.stream('/', async (_request, { connection }) => {
  connection.name = `room ${Math.floor(Math.random() * 10)}`
  Object.assign(connection.state, { since: Date.now() })
  connection.link(tasks.signal)
  connection.signal.addEventListener('abort', () => { tally.aborted++ })
  void connection.closed.then(() => { tally.settled++ })
  await delay(Math.random() * 10)
  await connection.event('hello', { id: connection.id })
})

setInterval(() => {
  for (const connection of app.connections) connection.event({ at: Date.now(), text: 'a line of some length, as in a chat' })
}, PUBLISH_EVERY)

await app.listen({ port: 0, host: '127.0.0.1' })

answer({
  port: () => (app.server.address() as AddressInfo).port,
  tally: (): Tally => ({ ...tally, reasons: { ...app.connections.counts } }),
  read
}, LIFETIME)

async function read (): Promise<Reading> {
  const until = Date.now() + QUIET_LIMIT
  while ((app.connections.size !== 0 || await sockets() !== 0) && Date.now() < until) await delay(50)
  const heap = await settledHeap()   // takes longer than a handler does
  return {
    registry: app.connections.size,
    sockets: await sockets(),
    resources: count(process.getActiveResourcesInfo()),
    listeners: {
      ...listenersOf('registry', app.connections),
      ...listenersOf('server', app.server),
      ...listenersOf('process', process),
      'tasks abort': getEventListeners(tasks.signal, 'abort').length
    },
    heap
  }
}

function sockets (): Promise<number> {
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
