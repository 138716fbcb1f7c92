/** The server of the fuzzed positions: a stream that gives what its client missed, and ends; and what that cost the event loop. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import fastify from 'fastify'
import pastelli, { memoryLog } from '../index.ts'
import { answer } from './child.ts'

/** What it is, and what clients that were told the truth can know of it. */
export interface Place { port: number, epoch: string, head: number, events: string[] }

export interface Tally {
  /** The longest that the event loop was held, ms, and what one in 10,000 of its turns was longer than. */
  delay: number
  p9999: number
  /** What was logged above info. */
  noise: number
  /** Streams that opened, and those of them that are open still. */
  opened: number
  open: number
  /** What escaped: rejections and exceptions that nobody caught. */
  escaped: number
}

const EVENTS = ['one', 'two', 'three', 'four', 'five']
const NS = 1e6
const WARN = 40

let noise = 0
let escaped = 0
const stream = { write: (line: string) => { if ((JSON.parse(line) as { level: number }).level >= WARN) noise++ } }
const app = fastify({ logger: { level: 'warn', stream } })
const log = memoryLog({ age: Infinity })
let lastEventId: string | null = null

process.on('unhandledRejection', () => { escaped++ })
process.on('uncaughtExceptionMonitor', () => { escaped++ })

await app.register(pastelli, { log })
app.stream('/', { topics: 'a' }, (_request, reply) => {
  lastEventId = reply.connection.lastEventId
  reply.closeChunk()
})
let opened = 0
app.connections.on('open', () => { opened++ })
await app.listen({ host: '127.0.0.1', port: 0 })
for (const data of EVENTS) await app.topics.publish('a', data)
const { port } = app.server.address() as AddressInfo
const histogram = monitorEventLoopDelay({ resolution: 1 })

answer({
  place: (): Place => ({ port, epoch: log.epoch, head: log.head, events: EVENTS }),
  begin: () => histogram.enable(),
  saw: () => ({ lastEventId }),
  tally: (): Tally => ({ delay: histogram.max / NS, p9999: histogram.percentile(99.99) / NS, noise, opened, open: app.connections.size, escaped })
}, Number(process.argv[2]) * 1_000)
await once(process, 'disconnect')
