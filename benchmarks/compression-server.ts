/** The server of the compression benchmark: `compression-server.js WAY RATE LIFETIME`, events a second and s. */
import type { AddressInfo } from 'node:net'
import zlib from 'node:zlib'
import fastify from 'fastify'
import pastelli, { type Coding } from '../index.ts'
import { answer } from './child.ts'

/** `each`: what an app does by itself, a compressor of zlib for every client. */
export type Way = 'none' | 'each' | Coding

export interface Cost {
  events: number
  /** Of the event blocks, as they would go out uncompressed, in bytes. */
  size: number
  /** µs */
  cpu: number
  /** Resident memory, bytes. */
  rss: number
}

const [way = 'none', rate = 0, lifetime = 0] = process.argv.slice(2).map((arg) => Number(arg) || arg) as [Way, number, number]

const compressors = new Set<zlib.Gzip>()
let cpu = process.cpuUsage()
let n = 0
let size = 0
let timer: NodeJS.Timeout | undefined

const app = fastify()
if (way === 'each') {
  app.get('/', (_request, reply) => {
    const compressor = zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH })
    compressors.add(compressor)
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' })
    compressor.pipe(reply.raw)
    compressor.write(':\n\n')
  })
} else {
  await app.register(pastelli, { compression: way === 'none' ? [] : [way] })
  app.stream('/', { topics: 'feed' })
}
await app.listen({ port: 0, host: '127.0.0.1' })

answer({ port: () => (app.server.address() as AddressInfo).port, start, stop }, lifetime * 1_000)

function start (): void {
  cpu = process.cpuUsage()
  timer = setInterval(publish, 1_000 / rate)
}

function stop (): Cost {
  clearInterval(timer)
  const { user, system } = process.cpuUsage(cpu)
  return { events: n, size, cpu: user + system, rss: process.memoryUsage.rss() }
}

function publish (): void {
  n++
  const data = reading(n)
  const block = `id: z6zsM9Wl:${n}\ndata: ${data}\n\n`
  size += Buffer.byteLength(block)
  if (way !== 'each') void app.topics.publish('feed', data)
  else for (const compressor of compressors) compressor.write(block)
}

/** Such as dashboards get. */
function reading (n: number): string {
  const value = (50 + 40 * Math.sin(n / 7)).toFixed(2)
  return JSON.stringify({ n, at: 1_790_000_000_000 + n * 250, series: 'cpu', host: `web-${n % 8}`, unit: 'percent', value: Number(value) })
}
