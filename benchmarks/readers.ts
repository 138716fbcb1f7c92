/**
 * Clients that read as fast as they can, and check that nothing is missing: `readers.js PORT PATH COUNT LIFETIME`, in s. All
 * must have asked before the first event is published.
 */
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createHistogram } from 'node:perf_hooks'
import { answer } from './child.ts'
import { EventReader } from './event-reader.ts'

/** What they have seen. */
export interface Reading {
  events: number
  /** Writes of the server that they were in, and times that a client was given something. */
  writes: number
  reads: number
  /** The number of the newest event that everybody has. */
  last: number
  /** The offset of the position that everybody is at least at. */
  offset: number
  /** Clients that were told of a gap, and gaps in all. */
  gapped: number
  gaps: number
  /** Some of what is missing without a word. */
  faults: string[]
  /** Connections that ended. */
  ended: number
  /** From publish to receipt since `mark`, ms: of the oldest event of each read. */
  p50: number
  p99: number
  max: number
}

const [port = 0, path = '/', count = 0, lifetime = 0] = process.argv.slice(2).map((arg) => arg.startsWith('/') ? arg : Number(arg))

const AT_ONCE = 200

const crowd: EventReader[] = []
const latency = createHistogram()
let reads = 0
let ended = 0

function enter (): Promise<void> {
  const reader = new EventReader(false)
  crowd.push(reader)
  return new Promise((resolve, reject) => {
    const socket = net.connect(port as number, '127.0.0.1')
    socket.once('data', () => { resolve() })
    socket.on('data', (data) => {
      reads++
      const publishedAt = reader.read(data)
      if (publishedAt !== 0) latency.record(Math.max(1, Number(process.hrtime.bigint()) - publishedAt))
    })
    socket.on('error', reject)
    socket.on('close', () => { ended++ })
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  })
}

async function open (): Promise<void> {
  while (crowd.length < (count as number)) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count as number - crowd.length) }, enter))
    await delay(1)
  }
}

function mark (): void {
  latency.reset()
}

function read (): Reading {
  const ms = (ns: number) => ns / 1e6
  return {
    events: crowd.reduce((sum, { events }) => sum + events, 0),
    writes: crowd.reduce((sum, { chunks }) => sum + chunks, 0),
    reads,
    last: Math.min(...crowd.map(({ last }) => last)),
    offset: Math.min(...crowd.map(({ lastId }) => Number(lastId?.split(':')[1]))),
    gapped: crowd.filter(({ gaps }) => gaps !== 0).length,
    gaps: crowd.reduce((sum, { gaps }) => sum + gaps, 0),
    faults: crowd.flatMap(({ faults }) => faults).slice(0, 5),
    ended,
    p50: ms(latency.percentile(50)),
    p99: ms(latency.percentile(99)),
    max: ms(latency.max)
  }
}

answer({ open, mark, read }, lifetime as number * 1_000)
