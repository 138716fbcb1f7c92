/** A machine whose clock jumps: `clock-node.js SETTINGS`, as JSON. */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import pastelli, { memoryLog } from '../../index.ts'
import type { EngineName } from '../chaos/engine.ts'
import { openLog } from '../chaos/open-log.ts'
import { answer } from '../child.ts'
import { numbered } from '../numbered.ts'
import { shiftClock } from './clock-shift.ts'
import { HOST } from './sockets.ts'

export interface ClockSettings {
  /** Null: the log is in memory. */
  engine: { name: EngineName, port: number } | null
  /** ms */
  heartbeat: number
  /** Of the log in memory, ms. */
  age: number
  /** s */
  lifetime: number
}

/** How it is. */
export interface Figures {
  /** What its clock says, ms since 1970. */
  clock: number
  reasons: Record<string, number>
  open: number
  /** Members that are present as far as it knows, and how many have joined and left. */
  present: number
  joined: number
  left: number
  /** Events that the log has in this process's memory. */
  retained: number
  /** Publishes whose position was not behind the one before, and those that failed. */
  unordered: number
  failed: number
}

const DAY = 86_400_000

const PUBLISH_EVERY = 50
const TIMEOUT = 5_000

const { engine, heartbeat, age, lifetime } = JSON.parse(process.argv[2] as string) as ClockSettings

let [n, newest, joined, left, unordered, failed] = [0, 0, 0, 0, 0, 0]

const log = engine === null ? memoryLog({ age }) : await openLog({ engine: engine.name, port: engine.port, tailPort: engine.port, timeout: TIMEOUT })
const app = fastify()
await app.register(pastelli, { log, heartbeat, maxAge: lifetime * 1_000, writeTimeout: 10_000 })
app.stream('/feed', (_request, { connection }) => { connection.subscribe('feed', { presence: true }) })
app.stream('/quiet', { topics: 'quiet' })
app.presence.on('join', () => { joined++ }).on('leave', () => { left++ })
await app.listen({ port: 0, host: HOST })

async function publish (): Promise<void> {
  try {
    const offset = Number((await app.topics.publish('feed', numbered(n++))).split(':')[1])
    if (offset <= newest) unordered++
    newest = offset
  } catch {
    failed++
  }
}

answer({
  ahead: () => { shiftClock(DAY) },
  back: () => { shiftClock(-DAY) },
  right: () => { shiftClock(0) },
  port: () => (app.server.address() as AddressInfo).port,
  publish: () => { setInterval(() => { void publish() }, PUBLISH_EVERY) },
  figures: (): Figures => ({
    clock: Date.now(),
    reasons: { ...app.connections.counts },
    open: app.connections.size,
    present: app.presence.count('feed'),
    joined,
    left,
    retained: log.stock?.events ?? NaN,
    unordered,
    failed
  })
}, lifetime * 1_000)
