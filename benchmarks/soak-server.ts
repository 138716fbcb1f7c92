/** The server of the soak: streams that use all a connection has, and events to all of them. Run with `--expose-gc`. */
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import pastelli from '../index.ts'
import { answer } from './child.ts'
import { remains } from './remains.ts'

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
  read: () => remains(app, { tasks: tasks.signal })
}, LIFETIME)
