/** One client, as a browser's `EventSource` is one: it comes back when its stream ends, after the time it was told, with its position. */
import net from 'node:net'
import { EventReader } from '../event-reader.ts'
import type { Counts } from './counts.ts'
import { HOST } from './sockets.ts'

export interface SourceSettings {
  port: number
  path: string
  /** Whether it comes back; else it is gone when its stream ends. */
  returns: boolean
  /** What it waits before it comes back unless it is told, ms. */
  retry: number
  /** Whether it stops reading once the stream has begun, until it is told to go on. */
  stalls: boolean
}

/** What became of its streams, by how often. */
export interface Ends {
  /** With the last chunk, and nothing behind it. */
  proper: number
  /** Without. */
  cut: number
  /** Nobody was there to answer. */
  refused: number
  /** Something else than 200 was answered: an EventSource gives up. */
  statuses: Counts
}

// Of the head of a response: `HTTP/1.1 200 `.
const STATUS_AT = 9

export class Source {
  readonly reader = new EventReader(true)
  readonly ends: Ends = { proper: 0, cut: 0, refused: 0, statuses: {} }
  /** Whether something has come, and the stream has not ended. */
  isOpen = false
  /** How often a stream began. */
  opened = 0
  /** The longest time without a sign of life so far, and when the last one came, ms. */
  silence = 0
  heardAt = 0
  /** How long it was told to wait when its last stream ended, ms; null if it was not. */
  toldToWait: number | null = null
  readonly #settings: SourceSettings
  #socket: net.Socket | null = null
  #timer: NodeJS.Timeout | null = null
  #isLeaving = false

  constructor (settings: SourceSettings) {
    this.#settings = settings
  }

  /** Resolves when the first stream has begun, or will not. */
  enter (): Promise<void> {
    return new Promise((resolve) => { this.#connect(resolve) })
  }

  /** Resolves when its socket has closed. It does not come back. */
  leave (): Promise<void> {
    this.#isLeaving = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    const socket = this.#socket
    if (socket === null) return Promise.resolve()
    return new Promise((resolve) => {
      socket.once('close', () => { resolve() })
      socket.destroy()
    })
  }

  /** Reads on. */
  goOn (): void {
    this.#socket?.resume()
  }

  /** What came so far does not count as a sign of life. */
  mark (): void {
    this.silence = 0
    this.heardAt = performance.now()
    this.reader.chunks = 0
  }

  #connect (settled: () => void): void {
    const { port, path, stalls } = this.#settings
    const { reader } = this
    reader.reconnect()
    let status = ''
    const socket = this.#socket = net.connect(port, HOST)
    socket.on('data', (bytes) => {
      if (status === '') {
        status = bytes.toString('latin1', STATUS_AT, STATUS_AT + 3)
        if (status === '200') this.#begin()
        settled()
        if (stalls) socket.pause()
      }
      if (status === '200') this.#hear(bytes)
      if (reader.isEnded) socket.end()   // the server may leave it open for another request
    })
    socket.on('error', () => {})   // its close follows
    socket.on('close', () => {
      this.#socket = null
      this.isOpen = false
      if (!this.#isLeaving) this.#end(status)
      settled()
    })
    const position = reader.lastId === null ? '' : `Last-Event-ID: ${reader.lastId}\r\n`
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n${position}\r\n`)
  }

  #begin (): void {
    this.isOpen = true
    this.opened++
    this.heardAt = performance.now()
  }

  #hear (bytes: Buffer): void {
    const now = performance.now()
    this.silence = Math.max(this.silence, now - this.heardAt)
    this.heardAt = now
    this.reader.read(bytes)
  }

  // [spec] A response that is not 200 fails the connection for good; an end, or nobody there, is followed by another attempt.
  #end (status: string): void {
    const { ends, reader } = this
    const isRefused = status === ''
    const isGood = status === '200'
    if (isRefused) ends.refused++
    else if (!isGood) ends.statuses[status] = (ends.statuses[status] ?? 0) + 1
    else if (reader.isEnded) ends.proper++
    else ends.cut++
    if (isGood) this.toldToWait = reader.retry
    const { returns, retry } = this.#settings
    if (!returns || !(isGood || isRefused)) return
    this.#timer = setTimeout(() => { this.#connect(() => {}) }, reader.retry ?? retry)
  }
}
