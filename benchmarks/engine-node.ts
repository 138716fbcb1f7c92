/** One machine: `engine-node.js ENGINE PORT LIFETIME`, in s: an app whose log is on that engine, and what asks that without a log. */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import pastelli from '../index.ts'
import { answer } from './child.ts'
import { engineOf, reach } from './engines.ts'
import { numbered } from './numbered.ts'
import { type Times, Stopwatch } from './stopwatch.ts'

/** What its own process saw since `mark`. */
export interface RoundTrips { ping: Times, append: Times, publish: Times }

const EVERY = 20

const [engine = '', port = 0, lifetime = 0] = process.argv.slice(2)
const { log, ping, append } = await reach(engineOf(engine), Number(port))

const app = fastify()
await app.register(pastelli, { log })
app.stream('/', { topics: 'feed' })
await app.listen({ port: 0, host: '127.0.0.1' })

const watches = { ping: new Stopwatch(), append: new Stopwatch(), publish: new Stopwatch() }
let published = 0
let timer: NodeJS.Timeout | undefined
let cpu = process.cpuUsage()

async function publish (): Promise<void> {
  await watches.publish.time(() => Promise.resolve(app.topics.publish('feed', numbered(published++))))
}

// Each comes after a rest of the same length: what comes right behind something else is faster.
const turns = [publish, () => watches.ping.time(ping), () => watches.append.time(() => append(numbered(published)))]

answer({
  port: () => (app.server.address() as AddressInfo).port,
  start: () => {
    cpu = process.cpuUsage()
    timer = setInterval(() => { void publish() }, EVERY)
  },
  'start and ask': () => {
    let turn = 0
    timer = setInterval(() => { void turns[turn++ % turns.length]?.() }, EVERY / turns.length)
  },
  mark: () => {
    for (const watch of Object.values(watches)) watch.reset()
  },
  stop: () => {
    clearInterval(timer)
    return published
  },
  times: () => Object.fromEntries(Object.entries(watches).map(([name, { times }]) => [name, times])),
  cpu: () => {
    const { user, system } = process.cpuUsage(cpu)
    return user + system
  }
}, Number(lifetime) * 1_000)
