/** Clients of every transport, which come back when their stream has ended: `half-open-clients.js SETTINGS`, as JSON. */
import http2 from 'node:http2'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { answer } from '../child.ts'
import { EventReader } from '../event-reader.ts'

export interface HalfOpenClientsSettings {
  host: string
  /** Of HTTP/1.1 and HTTP/2. */
  ports: number[]
  count: number
  /** s */
  lifetime: number
}

/** What clients of one kind have seen. */
export interface Reading {
  clients: number
  open: number
  opened: number
  /** The number of the newest event that everybody has. */
  last: number
  /** Some of what is missing, or came twice, and gaps that they were told of. */
  faults: string[]
}

interface Ends { read: (bytes: Buffer) => void, ended: () => void }

/** Asks, from a position; answers what leaves. */
type Dial = (from: string | null, ends: Ends) => () => void

const { host, ports, count, lifetime } = JSON.parse(process.argv[2] as string) as HalfOpenClientsSettings
const [port = 0, port2 = 0] = ports

const RETRY = 100

// Like a browser's, so that it is not HTTP/2 that stops a server first.
const WINDOW = 8 * 1024 * 1024

const dialHttp1 = (path: string): Dial => (from, { read, ended }) => {
  const socket = net.connect(port, host)
  socket.on('error', () => {})   // its close follows
  socket.on('close', ended)
  let tail = ''
  socket.on('data', (bytes) => {
    read(bytes)
    tail = (tail + bytes.toString('latin1')).slice(-7)
    if (tail === '\r\n0\r\n\r\n') socket.destroy()
  })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${from === null ? '' : `Last-Event-ID: ${from}\r\n`}\r\n`)
  return () => { socket.destroy() }
}

const dialHttp2 = (path: string): Dial => (from, { read, ended }) => {
  const session = http2.connect(`http://${host}:${port2}`, { settings: { initialWindowSize: WINDOW } })
  session.on('connect', () => { if (!session.destroyed) session.setLocalWindowSize(WINDOW) })
  session.on('error', () => {})
  session.on('close', ended)
  const stream = session.request({ ':path': path, ...from === null ? {} : { 'last-event-id': from } })
  stream.on('error', () => {})
  stream.on('data', read)
  stream.on('close', () => { session.destroy() })
  return () => { session.destroy() }
}

// A message is JSON with the event's data in it; to the reader it is told as a line of an event stream.
const dialSocket: Dial = (from, { read, ended }) => {
  const socket = new WebSocket(`ws://${host}:${port}/socket${from === null ? '' : `?lastEventId=${encodeURIComponent(from)}`}`)
  socket.on('error', () => {})
  socket.on('close', ended)
  socket.on('message', (message: Buffer) => {
    const { id, event, data } = JSON.parse(message.toString()) as { id?: string, event?: string, data?: unknown }
    const lines = [['event', event], ['id', id], ['data', typeof data === 'object' ? JSON.stringify(data) : data]]
    read(Buffer.from(`${lines.filter(([, value]) => value !== undefined).map(([name, value]) => `${name as string}: ${value as string}\n`).join('')}\n`))
  })
  return () => { socket.terminate() }
}

class Client {
  reader = new EventReader(true)
  isOpen = false
  opened = 0
  readonly #dial: Dial
  #hangUp = () => {}
  #isLeaving = false

  constructor (dial: Dial) {
    this.#dial = dial
  }

  /** Resolves when something has come. */
  async enter (): Promise<void> {
    this.#isLeaving = false
    this.reader = new EventReader(true)   // it is another one than the one that left
    await new Promise<void>((resolve) => { this.#connect(resolve) })
  }

  leave (): void {
    this.#isLeaving = true
    this.#hangUp()
  }

  #connect (began: () => void): void {
    this.reader.reconnect()
    this.#hangUp = this.#dial(this.reader.lastId, {
      read: (bytes) => {
        if (!this.isOpen) this.opened++
        this.isOpen = true
        this.reader.read(bytes)
        began()
      },
      ended: () => {
        this.isOpen = false
        if (!this.#isLeaving) setTimeout(() => { if (!this.#isLeaving) this.#connect(began) }, RETRY)
      }
    })
  }
}

// Of a hundred clients.
const KINDS: ReadonlyArray<readonly [kind: string, share: number, dial: Dial]> = [
  ['http1 /aged', 30, dialHttp1('/aged')],
  ['http1 /busy', 15, dialHttp1('/busy')],
  ['websocket /socket', 30, dialSocket],
  ['http2 /aged', 15, dialHttp2('/aged')],
  ['http2 /busy', 10, dialHttp2('/busy')]
]

const crowds = new Map(KINDS.map(([kind, share, dial]) => [kind, Array.from({ length: Math.round(count * share / 100) }, () => new Client(dial))]))

async function enter (): Promise<void> {
  for (const clients of crowds.values()) {
    await Promise.all(clients.map((client) => client.enter()))
    await delay(1)
  }
}

function readingOf (clients: Client[]): Reading {
  return {
    clients: clients.length,
    open: clients.filter(({ isOpen }) => isOpen).length,
    opened: clients.reduce((sum, { opened }) => sum + opened, 0),
    last: clients.reduce((least, { reader }) => Math.min(least, reader.last), Infinity),
    faults: clients.flatMap(({ reader }) => [...reader.faults, ...reader.gaps === 0 ? [] : [`${reader.gaps} gaps`]]).slice(0, 5)
  }
}

answer({
  ready: () => true,
  enter,
  leave: () => { for (const client of [...crowds.values()].flat()) client.leave() },
  read: () => Object.fromEntries([...crowds].map(([kind, clients]) => [kind, readingOf(clients)]))
}, lifetime * 1_000)
