/** The server of the overload: `overload-server.js BURST LIFETIME`, in s: publishes so many events in each turn of its event loop. */
import type { AddressInfo } from 'node:net'
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import fastify from 'fastify'
import pastelli from '../index.ts'
import { answer } from './child.ts'
import { numbered } from './numbered.ts'

export interface Tally {
  /** The number of the newest event. */
  last: number
  /** The offset of the log's head. */
  head: number
  turns: number
  /** s */
  seconds: number
  /** Delay of the event loop, ms. */
  p50: number
  p99: number
  max: number
  /** CPU time of one turn, ms: what others take of the machine does not count. */
  turnP50: number
  turnP99: number
  /** Resident memory at the start, and the most since then. */
  rss: number
  peak: number
}

const RESOLUTION = 1

const [burst = 1, lifetime = 0] = process.argv.slice(2).map(Number)

const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
const tally: Tally = { last: -1, head: 0, turns: 0, seconds: 0, p50: 0, p99: 0, max: 0, turnP50: 0, turnP99: 0, rss: 0, peak: 0 }
let isPublishing = false
let began = 0
let cpu = process.cpuUsage()
let turnBegan = cpu
const turns = createHistogram()

const app = fastify()
await app.register(pastelli, { overflow: 'skip' })
app.stream('/', { topics: 'feed' })
await app.listen({ port: 0, host: '127.0.0.1' })

answer({
  port: () => (app.server.address() as AddressInfo).port,
  start,
  stop,
  cpu: () => {
    const { user, system } = process.cpuUsage(cpu)
    return user + system
  }
}, lifetime * 1_000)

function start (): void {
  isPublishing = true
  tally.rss = process.memoryUsage.rss()
  began = performance.now()
  cpu = turnBegan = process.cpuUsage()
  delay.enable()
  publish()
}

function publish (): void {
  if (!isPublishing) return
  tally.turns++
  const now = process.cpuUsage()
  turns.record(Math.max(1, now.user + now.system - turnBegan.user - turnBegan.system))
  turnBegan = now
  if (tally.turns % 16 === 0) tally.peak = Math.max(tally.peak, process.memoryUsage.rss())
  for (let i = 0; i < burst; i++) void app.topics.publish('feed', numbered(++tally.last))
  setImmediate(publish)
}

function stop (): Tally {
  isPublishing = false
  delay.disable()
  const ms = (ns: number) => ns / 1e6
  return {
    ...tally,
    head: Number(app.topics.position.split(':')[1]),
    seconds: (performance.now() - began) / 1_000,
    p50: ms(delay.percentile(50)),
    p99: ms(delay.percentile(99)),
    max: ms(delay.max),
    turnP50: turns.percentile(50) / 1_000,
    turnP99: turns.percentile(99) / 1_000
  }
}
