/** The server that has few descriptors: `descriptors-server.js LIFETIME`, in s. It is started with a limit on them. */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import pastelli from '../../index.ts'
import { answer } from '../child.ts'
import { numbered } from '../numbered.ts'
import { HOST } from './sockets.ts'

/** How it is. */
export interface Figures {
  registry: number
  /** Connections that were opened and have ended so far, and the latter by close reason. */
  opened: number
  closed: number
  reasons: Record<string, number>
  /** Lines of its log, but for those of each stream. */
  lines: number
  /** ms of CPU since the start. */
  cpu: number
}

const PUBLISH_EVERY = 50
const OF_STREAMS = ['incoming request', 'request completed', 'stream closed']

let lines = 0
let opened = 0
let closed = 0
let n = 0

function write (line: string): void {
  if (!OF_STREAMS.includes((JSON.parse(line) as { msg: string }).msg)) lines++
}

const app = fastify({ logger: { level: 'info', stream: { write } } })
await app.register(pastelli, { maxConnectionsPerKey: Infinity })
app.stream('/', { topics: 'feed' })
app.connections.on('open', () => { opened++ })
app.connections.on('close', () => { closed++ })
await app.listen({ port: 0, host: HOST })

answer({
  port: () => (app.server.address() as AddressInfo).port,
  publish: () => { setInterval(() => { void app.topics.publish('feed', numbered(n++)) }, PUBLISH_EVERY) },
  figures: (): Figures => {
    const { user, system } = process.cpuUsage()
    return { registry: app.connections.size, opened, closed, reasons: { ...app.connections.counts }, lines, cpu: (user + system) / 1_000 }
  }
}, Number(process.argv[2]) * 1_000)
