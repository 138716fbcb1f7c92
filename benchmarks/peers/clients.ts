/** The clients of a server, in a process of their own: `clients.js PORT`. Sockets, since a client of HTTP would be the bottleneck; every event is looked at. */
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createHistogram } from 'node:perf_hooks'
import { answer } from '../child.ts'
import { Sequence } from './sequence.ts'
import { HELLO } from './serve.ts'

/** What those have seen that are subscribed. */
export interface Reading {
  events: number
  /** Some of what was missing, or out of order. */
  faults: string[]
  /** When the newest event came, ns. */
  at: number
  /** From publish to receipt, ms, of the oldest event in each read since `time`. */
  p50: number
  p99: number
}

const port = Number(process.argv[2])

const LIFETIME = 150_000
const AT_ONCE = 200
const LOOK_EVERY = 5
// One for all: what is in it is looked at before the next read.
const BUFFER = Buffer.allocUnsafe(256 * 1024)

const latency = createHistogram()
const subscribed: Sequence[] = []
let isTimed = false
let events = 0
let newest = 0

answer({ subscribe, time: () => { isTimed = true }, until, tokens, churn, stall }, LIFETIME)

/** Resolves when so many are there, and each has the event that says that it is. */
async function subscribe (count: number): Promise<void> {
  for (let entered = 0; entered < count; entered += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - entered) }, enter))
  }
}

function enter (): Promise<void> {
  const sequence = new Sequence()
  subscribed.push(sequence)
  return new Promise((resolve, reject) => {
    let greeting: string | null = ''
    const socket = connect('/stream', (bytes) => {
      if (greeting !== null) {
        greeting += bytes.toString('latin1')
        if (greeting.includes(HELLO)) {
          greeting = null
          resolve()
        }
      }
      count(sequence, bytes)
    })
    socket.on('error', reject)
  })
}

function count (sequence: Sequence, bytes: Buffer): void {
  const before = sequence.events
  const publishedAt = sequence.read(bytes)
  if (sequence.events === before) return
  events += sequence.events - before
  newest = Number(process.hrtime.bigint())
  if (isTimed && publishedAt !== 0) latency.record(Math.max(1, newest - publishedAt))
}

/** Resolves when so many events have come in all, something is wrong with them, or none has come for `patience` ms. */
async function until (expected: number, patience: number): Promise<Reading> {
  let before = -1
  let since = performance.now()
  for (;;) {
    if (events !== before) since = performance.now()
    before = events
    if (events >= expected || performance.now() - since > patience || subscribed.some(({ faults }) => faults.length > 0)) break
    await delay(LOOK_EVERY)
  }
  return { events, faults: subscribed.flatMap(({ faults }) => faults).slice(0, 5), at: newest, p50: latency.percentile(50) / 1e6, p99: latency.percentile(99) / 1e6 }
}

/** So many responses of `/tokens` to their ends. */
async function tokens (connections: number, query: string, patience: number): Promise<Reading> {
  subscribed.length = events = 0
  await Promise.all(Array.from({ length: connections }, () => new Promise<void>((resolve) => {
    const sequence = new Sequence()
    subscribed.push(sequence)
    const settle = () => {
      socket.destroy()
      resolve()
    }
    const socket = connect(`/tokens?${query}`, (bytes) => {
      count(sequence, bytes)
      if (sequence.hasEnded) settle()
    })
    socket.setTimeout(patience, settle)
    socket.on('error', settle)
    socket.on('close', settle)
  })))
  return await until(0, 0)
}

/** So many connections, a few at once, each of which leaves when it has its first event. Answers what failed, and the ms that it took. */
async function churn (total: number, atOnce: number): Promise<{ failed: number, ms: number }> {
  const began = performance.now()
  let left = total
  let failed = 0
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left-- > 0) if (!await visit()) failed++
  }))
  return { failed, ms: performance.now() - began }
}

function visit (): Promise<boolean> {
  return new Promise((resolve) => {
    let text = ''
    let isGreeted = false
    const socket = connect('/stream', (bytes) => {
      text += bytes.toString('latin1')
      isGreeted = text.includes(HELLO)
      if (isGreeted) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => { resolve(isGreeted) })
  })
}

/** Asks, and never reads. By a Unix socket, where the kernel takes 200 kB of what is not read, and not some MB. */
function stall (path: string, count: number): void {
  for (let i = 0; i < count; i++) {
    const socket = net.connect(path)
    socket.pause()
    socket.on('error', () => {})
    socket.write(ask('/stream'))
  }
}

function connect (path: string, read: (bytes: Buffer) => void): net.Socket {
  const socket = net.connect({ port, host: '127.0.0.1', onread: { buffer: BUFFER, callback: (size) => { read(BUFFER.subarray(0, size)); return true } } })
  socket.write(ask(path))
  return socket
}

function ask (path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`
}
