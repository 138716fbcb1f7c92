/** The server of the WebSocket benchmark: `websocket-server.js WAY LIFETIME`, in s. */
import type { AddressInfo } from 'node:net'
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import type { WebSocket } from 'ws'
import pastelli from '../index.ts'
import { answer } from './child.ts'

/** `ws`: what an app does by itself, a `send` for each client. */
export type Way = 'pastelli' | 'ws'

export interface Flood {
  /** µs of the server's CPU. */
  cpu: number
  /** ms */
  took: number
}

const SIZE = 100

// So much may be queued for a client before the flood waits.
const MARK = 16 * 1024

const [way = '', lifetime = ''] = process.argv.slice(2)

const clients = new Set<WebSocket>()
const app = fastify()
if (way === 'ws') {
  await app.register(websocket)
  app.get('/', { websocket: true }, (socket) => {
    clients.add(socket)
    socket.on('close', () => { clients.delete(socket) })
  })
} else {
  await app.register(pastelli)
  app.stream('/', { topics: 'feed', websocket: {} })
}
await app.listen({ port: 0, host: '127.0.0.1' })

let n = 0

answer({
  port: () => (app.server.address() as AddressInfo).port,
  'warm up': () => flood(60),
  flood: () => flood(200)
}, Number(lifetime) * 1_000)

/** So many events, one in each turn of the event loop, and none while somebody has much before him. */
async function flood (events: number): Promise<Flood> {
  const began = performance.now()
  const cpu = process.cpuUsage()
  for (const last = n + events; n < last;) {
    publish(`{"n":${n++},"pad":"`)
    do await turn(); while (isAnyoneFull())
  }
  while (isAnyoneBehind()) await turn()
  const { user, system } = process.cpuUsage(cpu)
  return { cpu: user + system, took: performance.now() - began }
}

function publish (head: string): void {
  const data = head + 'x'.repeat(SIZE - head.length - 2) + '"}'
  if (way !== 'ws') void app.topics.publish('feed', JSON.parse(data))
  else for (const client of clients) client.send(data)
}

function isAnyoneFull (): boolean {
  return way === 'ws' ? some(clients, ({ bufferedAmount }) => bufferedAmount > MARK) : some(app.connections, ({ queued }) => queued > MARK)
}

function isAnyoneBehind (): boolean {
  return way === 'ws' ? some(clients, ({ bufferedAmount }) => bufferedAmount > 0) : some(app.connections, ({ queued }) => queued > 0)
}

function some<Item> (items: Iterable<Item>, holds: (item: Item) => boolean): boolean {
  for (const item of items) if (holds(item)) return true
  return false
}

function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}
