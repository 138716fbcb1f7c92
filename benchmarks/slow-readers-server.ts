/** The server of the slow readers: `slow-readers-server.js OVERFLOW SOCKET LIFETIME`, in s. The path SOCKET is a Unix socket. */
import { type AddressInfo, createServer } from 'node:net'
import fastify from 'fastify'
import pastelli from '../index.ts'
import { answer } from './child.ts'
import { numbered } from './numbered.ts'

/** What has happened so far. */
export interface Tally {
  /** Numbers of the newest events. */
  light: number
  heavy: number
  /** Connections of the slow: open, and ended by reason. */
  slow: number
  reasons: Record<string, number>
  /** The most bytes that were queued for all the slow ones, and for one. */
  queued: number
  queuedOne: number
  /** Resident memory at the `mark`, and the most since then. */
  rss: number
  peak: number
  /** ms of CPU since the mark. */
  cpu: number
}

const LIGHT_EVERY = 50
const LIGHT_SIZE = 100
const HEAVY_EVERY = 1000 / 70
const HEAVY_SIZE = 10_000
const SAMPLE_EVERY = 50

const [overflow, socket, lifetime] = process.argv.slice(2)

const tally: Tally = { light: -1, heavy: -1, slow: 0, reasons: {}, queued: 0, queuedOne: 0, rss: 0, peak: 0, cpu: 0 }
let cpu = process.cpuUsage()

const app = fastify()
await app.register(pastelli, { overflow: overflow === 'skip' ? 'skip' : 'disconnect' })
app.stream('/light', { topics: 'light' })
app.stream('/heavy', { topics: 'heavy' })
app.stream('/slow', { topics: 'heavy' }, (_request, { connection }) => { connection.name = 'slow' })
app.connections.on('close', ({ name }, reason) => {
  if (name === 'slow') tally.reasons[reason] = (tally.reasons[reason] ?? 0) + 1
})

await app.listen({ port: 0, host: '127.0.0.1' })
createServer((connection) => { app.server.emit('connection', connection) }).listen(socket)

answer({
  port: () => (app.server.address() as AddressInfo).port,
  publish,
  mark,
  stop,
  read
}, Number(lifetime) * 1_000)

let publishers: NodeJS.Timeout[] = []

function publish (): void {
  publishers = [
    every(LIGHT_EVERY, () => { void app.topics.publish('light', numbered(++tally.light, LIGHT_SIZE)) }),
    every(HEAVY_EVERY, () => { void app.topics.publish('heavy', numbered(++tally.heavy, HEAVY_SIZE)) })
  ]
}

function stop (): void {
  for (const publisher of publishers) clearInterval(publisher)
}

function mark (): void {
  tally.rss = tally.peak = process.memoryUsage.rss()
  tally.queued = tally.queuedOne = 0
  cpu = process.cpuUsage()
  setInterval(sample, SAMPLE_EVERY)
}

function read (): Tally {
  sample()
  const { user, system } = process.cpuUsage(cpu)
  return { ...tally, slow: [...app.connections.named('slow')].length, cpu: (user + system) / 1_000 }
}

function sample (): void {
  tally.peak = Math.max(tally.peak, process.memoryUsage.rss())
  const queued = Array.from(app.connections.named('slow'), (connection) => connection.queued)
  tally.queued = Math.max(tally.queued, queued.reduce((sum, bytes) => sum + bytes, 0))
  tally.queuedOne = Math.max(tally.queuedOne, ...queued)
}

// So often on average, whatever a timer's resolution; what is late is not made up for.
function every (ms: number, act: () => void): NodeJS.Timeout {
  let due = performance.now() + ms
  return setInterval(() => {
    if (performance.now() < due) return
    due = Math.max(due + ms, performance.now() - ms)
    act()
  }, Math.min(ms, 5))
}
