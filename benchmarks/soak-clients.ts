/**
 * The clients of the soak: `soak-clients.js PORT COUNT RATE SEED LIFETIME`, in s. Each stays for a while, leaves in one of three
 * ways, and is followed by another; with a rate, one comes after the other whoever is still there.
 */
import { setMaxListeners } from 'node:events'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { seeded } from './chaos/random.ts'
import { answer } from './child.ts'

/** What the clients have seen. */
export interface Churn {
  fin: number
  rst: number
  half: number
  /** Connections that were refused, or ended by the server first. */
  failed: number
  bytes: number
}

const [port = 0, count = 0, rate = 0, seed = 0, lifetime = 0] = process.argv.slice(2).map(Number)

// How long one stays, ms. Some leave before they can have got an answer.
const STAY = 4_000
const HASTY = 0.1
const RAMP_PER_TURN = 20

const WAYS = {
  fin: (socket: net.Socket) => { socket.destroy() },
  rst: (socket: net.Socket) => { socket.resetAndDestroy() },
  half: (socket: net.Socket) => { socket.end() }
}
const NAMES = Object.keys(WAYS) as Array<keyof typeof WAYS>

const random = seeded(seed)
const churn: Churn = { fin: 0, rst: 0, half: 0, failed: 0, bytes: 0 }
let leaving = new AbortController()
let crowd: Array<Promise<void>> = []

/** One place in the crowd, taken by one client after the other. */
async function attend (signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await come(signal)
}

/** As many in a second, whatever becomes of them. */
async function pass (signal: AbortSignal): Promise<void> {
  const visits = new Set<Promise<void>>()
  const began = performance.now()
  for (let due = 0; !signal.aborted; due++) {
    const visit: Promise<void> = come(signal).finally(() => { visits.delete(visit) })
    visits.add(visit)
    await delay(Math.max(0, began + due * 1_000 / rate - performance.now()))
  }
  await Promise.all(visits)
}

async function come (signal: AbortSignal): Promise<void> {
  const way = NAMES[Math.floor(random(0, NAMES.length))] as keyof typeof WAYS
  churn[await visit(signal, way) ? way : 'failed']++
}

/** Resolves when the socket has closed, with whether the client left as it wanted to. */
async function visit (signal: AbortSignal, way: keyof typeof WAYS): Promise<boolean> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let left = false
  let failed = false
  socket.on('error', () => { failed ||= !left })
  socket.on('end', () => { failed ||= !left })
  socket.on('data', (bytes) => { churn.bytes += bytes.length })
  const closed = new Promise<void>((resolve) => { socket.on('close', () => { resolve() }) })
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n')
  await delay(random(0, 1) < HASTY ? 0 : random(0, STAY), undefined, { signal }).catch(() => {})
  left = true
  WAYS[way](socket)
  await closed
  return !failed
}

async function start (): Promise<void> {
  leaving = new AbortController()
  setMaxListeners(0, leaving.signal)
  crowd = rate === 0 ? [] : [pass(leaving.signal)]
  if (rate !== 0) return
  while (crowd.length < count) {
    const newcomers = Math.min(RAMP_PER_TURN, count - crowd.length)
    for (let i = 0; i < newcomers; i++) crowd.push(attend(leaving.signal))
    await delay(5)
  }
}

async function stop (): Promise<Churn> {
  leaving.abort()
  await Promise.all(crowd)
  return { ...churn }
}

answer({ start, stop }, lifetime * 1_000)
