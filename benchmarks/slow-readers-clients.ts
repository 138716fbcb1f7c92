/** The slow readers: `slow-readers-clients.js SOCKET LIFETIME`, in s. Once they read again they know what they have missed. */
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answer } from './child.ts'
import { EventReader } from './event-reader.ts'

/** Stalled ones never read, trickling ones a byte a second; the others stop too, and read on or come back in time. */
export type Kind = 'stalled' | 'trickling' | 'waking' | 'leaving'

export interface Reading {
  count: number
  /** How many have what was published until they read again. */
  whole: number
  /** How many were told of a gap, and gaps in all. */
  gapped: number
  gaps: number
  /** How many came back and were told of a gap that began elsewhere than where they were. */
  misplaced: number
  /** Some of what is missing, or came twice, without a word. */
  faults: string[]
}

const [path = '', lifetime] = process.argv.slice(2)

const COUNTS: Readonly<Record<Kind, number>> = { stalled: 200, trickling: 100, waking: 20, leaving: 20 }
// One after the other, ms: so that the load on the server stays what it is said to be.
const JOIN_EVERY = 2
const WAKE_EVERY = 20
const TRICKLE_EVERY = 1_000

// Bytes read at once before a client knows where it is, while it is slow, and at last.
const AT_FIRST = 256
const SLOWLY = 1
const FAST = 64 * 1024

class SlowReader {
  readonly reader = new EventReader(true)
  #socket = new net.Socket()
  #isSlow = true
  #isWhole = false
  #awakeSince = Infinity
  #from: string | null = null

  get isWhole (): boolean {
    return this.#isWhole
  }

  get isMisplaced (): boolean {
    return this.#from !== null && this.reader.gaps !== 0 && this.reader.gapFrom !== this.#from
  }

  join (): void {
    const from = this.#from = this.reader.lastId
    this.reader.reconnect()
    this.#socket = net.connect({ path, onread: { buffer: () => this.#buffer(), callback: (size, buffer) => this.#read(Buffer.from(buffer.subarray(0, size))) } })
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => { if (!this.#isWhole) this.join() })
    this.#socket.write(`GET /slow HTTP/1.1\r\nHost: localhost\r\n${from === null ? '' : `Last-Event-ID: ${from}\r\n`}\r\n`)
  }

  /** Reads one more byte. */
  trickle (): void {
    if (this.#isSlow) this.#socket.resume()
  }

  /** Reads on; if the server has cut it meanwhile, up to there, and comes back. */
  wake (): void {
    this.#readFast()
    this.#socket.resume()
  }

  /** Leaves without a look at what is there, and comes back. */
  leave (): void {
    this.#readFast()
    this.#socket.destroy()
  }

  #readFast (): void {
    this.#isSlow = false
    this.#awakeSince = Number(process.hrtime.bigint())
  }

  #buffer (): Uint8Array {
    return Buffer.allocUnsafe(!this.#isSlow ? FAST : this.reader.lastId === null ? AT_FIRST : SLOWLY)
  }

  // Answers whether to read on. Who has everything makes room.
  #read (bytes: Buffer): boolean {
    this.#isWhole ||= this.reader.read(bytes) > this.#awakeSince
    if (this.#isWhole) this.#socket.destroy()
    return !this.#isSlow || this.reader.lastId === null
  }
}

const crowd = Object.fromEntries(Object.entries(COUNTS).map(([kind, count]) => [kind, Array.from({ length: count }, () => new SlowReader())])) as Record<Kind, SlowReader[]>

answer({ join, back, wake, read }, Number(lifetime) * 1_000)

setInterval(() => {
  for (const client of crowd.trickling) client.trickle()
}, TRICKLE_EVERY)

async function join (): Promise<void> {
  await oneByOne(Object.values(crowd).flat(), JOIN_EVERY, (client) => { client.join() })
}

/** Those that are slow for a while only. */
async function back (): Promise<void> {
  await oneByOne(crowd.waking, WAKE_EVERY, (client) => { client.wake() })
  await oneByOne(crowd.leaving, WAKE_EVERY, (client) => { client.leave() })
}

/** Those that were slow for too long. */
async function wake (): Promise<void> {
  await oneByOne([...crowd.stalled, ...crowd.trickling], JOIN_EVERY, (client) => { client.wake() })
}

async function oneByOne (clients: SlowReader[], every: number, act: (client: SlowReader) => void): Promise<void> {
  const began = performance.now()
  for (const [i, client] of clients.entries()) {
    await delay(began + i * every - performance.now())
    act(client)
  }
}

function read (): Record<Kind, Reading> {
  return Object.fromEntries(Object.entries(crowd).map(([kind, clients]) => [kind, readingOf(clients)])) as Record<Kind, Reading>
}

function readingOf (clients: SlowReader[]): Reading {
  const readers = clients.map(({ reader }) => reader)
  return {
    count: clients.length,
    whole: clients.filter(({ isWhole }) => isWhole).length,
    gapped: readers.filter(({ gaps }) => gaps !== 0).length,
    gaps: readers.reduce((sum, { gaps }) => sum + gaps, 0),
    misplaced: clients.filter(({ isMisplaced }) => isMisplaced).length,
    faults: readers.flatMap(({ faults }) => faults).slice(0, 5)
  }
}
