/** One of several machines: `node.js SETTINGS`, as JSON. */
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import pastelli from '../../index.ts'
import { answer } from '../child.ts'
import { type LogPlace, openLog } from './open-log.ts'

export interface NodeSettings extends LogPlace {
  /** Where it listens. */
  own: number
  /** ms */
  heartbeat: number
  /** Of what it publishes itself, ms; 0: it does not. */
  every: number
  /** Of what its resumable stream produces: how much, and how often, ms. */
  count: number
  pause: number
  /** s */
  lifetime: number
}

/** A line of its log that is not of one request or stream. */
export interface Line { level: number, msg: string, at: number }

const OF_REQUESTS = ['incoming request', 'request completed', 'stream closed']

const settings = JSON.parse(process.argv[2] as string) as NodeSettings
const lines: Line[] = []

function write (line: string): void {
  const { level, msg } = JSON.parse(line) as Line
  if (!OF_REQUESTS.includes(msg)) lines.push({ level, msg, at: Date.now() })
}

const app = fastify({ logger: { level: 'info', stream: { write } } })
await app.register(pastelli, { log: await openLog(settings), heartbeat: settings.heartbeat })
app.stream('/', { topics: 'feed' })
let isProducing = false
app.stream('/answer', { resumable: () => 'answer' }, async function * () {
  isProducing = true
  for (let n = 0; n < settings.count; n++) {
    yield n
    await delay(settings.pause)
  }
})
await app.listen({ port: settings.own, host: '127.0.0.1' })
if (settings.every !== 0) setInterval(() => { void app.topics.publish('own', settings.own) }, settings.every)

let cpu = process.cpuUsage()

answer({
  ready: () => settings.own,
  produces: () => isProducing,
  lines: () => lines,
  mark: () => { cpu = process.cpuUsage() },
  cpu: () => {
    const { user, system } = process.cpuUsage(cpu)
    return (user + system) / 1_000
  },
  open: () => app.connections.size,
  close: () => { setImmediate(() => { void app.close().then(() => { process.exit() }) }) }
}, settings.lifetime * 1_000)
