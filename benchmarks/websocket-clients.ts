/** WebSocket clients on plain sockets that count what they get: `websocket-clients.js PORT COUNT LIFETIME`, in s. */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answer } from './child.ts'

const [port = 0, count = 0, lifetime = 0] = process.argv.slice(2).map(Number)

const AT_ONCE = 100

// Head of a frame of the server's: type, then the length in 7 or in 7 and 16 bits.
const SHORT_HEAD = 2
const LONG_HEAD = 4
const IS_LONG = 126

const counters: Counter[] = []

/** Counts the events of one client; it is asked to be fast, and checks that none is missing. */
class Counter {
  events = 0
  isInOrder = true
  #rest: Buffer | null = null

  read (bytes: Buffer): void {
    const all = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes])
    let at = 0
    while (all.length - at >= SHORT_HEAD) {
      const isLong = all[at + 1] === IS_LONG
      const start = at + (isLong ? LONG_HEAD : SHORT_HEAD)
      if (all.length < start) break
      const end = start + (isLong ? all.readUInt16BE(at + SHORT_HEAD) : all[at + 1] as number)
      if (all.length < end) break
      this.#take(all, start, end)
      at = end
    }
    this.#rest = at === all.length ? null : all.subarray(at)
  }

  // What tells a position has no number.
  #take (bytes: Buffer, start: number, end: number): void {
    const at = bytes.indexOf('"n":', start, 'latin1')
    if (at === -1 || at >= end) return
    if (counters[0] === this && Number.parseInt(bytes.toString('latin1', at + 4, at + 12), 10) !== this.events) this.isInOrder = false
    this.events++
  }
}

async function open (): Promise<void> {
  while (counters.length < count) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - counters.length) }, enter))
    await delay(1)
  }
}

function enter (): Promise<void> {
  const counter = new Counter()
  counters.push(counter)
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    let head: Buffer | null = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('data', (bytes) => {
      if (head === null) {
        counter.read(bytes)
        return
      }
      head = Buffer.concat([head, bytes])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      counter.read(head.subarray(end + 4))
      head = null
      resolve()
    })
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`)
  })
}

answer({
  open,
  events: () => counters.reduce((sum, { events }) => sum + events, 0),
  order: () => counters[0]?.isInOrder === true
}, lifetime * 1_000)
