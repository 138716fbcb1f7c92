/** One request of a client and what came of it: its line, what it was given, and where it would resume. */
import { closeFrame, frame, OPCODES } from '../support/raw-web-socket.ts'
import type { Connection } from '../../index.ts'
import { Line } from './line.ts'
import { type FormatName, Reading } from './reading.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface Ask { client: number, path: string, format: FormatName, headers: Record<string, string> }

const ACCEPTS = { 'event-stream': 'text/event-stream', ndjson: 'application/x-ndjson' }

export class Wire {
  readonly line: Line
  readonly reading: Reading
  readonly client: number
  connection: Connection | null = null
  /** How many times the registry told of its end. */
  closes = 0
  /** Since when the client reads without a pause, ms; `Infinity`: it does not. */
  readsSince: number
  /** When something came from the client last, ms. */
  heardAt: number
  /** When the last thing was given that was compared, and when the last one that told the position, ms. */
  comparedAt: number
  toldAt: number
  /** Since when something that it has coming is known to be lost, ms. */
  lostSince = Infinity
  /** How much of what was seen is compared, and how much of it the client has answered. */
  compared = 0
  #answered = 0
  #lastId: string | null
  readonly #request: string
  readonly #time: VirtualTime
  #hasVanished = false

  constructor (time: VirtualTime, capacity: number, { client, path, format, headers }: Ask) {
    this.#time = time
    this.client = client
    this.#lastId = headers['last-event-id'] ?? null
    this.readsSince = this.heardAt = this.comparedAt = this.toldAt = time.now
    this.reading = new Reading(format, () => time.now)
    const answerLater = () => { process.nextTick(() => { this.#answer() }) }
    this.line = new Line(time, capacity, (bytes) => {
      this.reading.feed(bytes)
      answerLater()
    }, answerLater)
    const more = format === 'websocket'
      ? { upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
      : { accept: ACCEPTS[format] }
    const lines = Object.entries({ host: 'localhost', ...more, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    this.#request = `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
  }

  get isReading (): boolean {
    return this.line.isReading
  }

  /** What its client would say when it comes back. */
  get lastId (): string | null {
    for (let i = this.reading.seen.length - 1; i >= 0; i--) {
      const seen = this.reading.seen[i]
      if (seen?.id !== undefined && seen.end <= this.line.read) return seen.id
    }
    return this.#lastId
  }

  /** Whether its client is gone without a word. */
  get hasVanished (): boolean {
    return this.#hasVanished
  }

  ask (): void {
    this.line.send(this.#request)
  }

  stall (): void {
    this.readsSince = Infinity
    this.line.stall()
  }

  resume (): void {
    this.readsSince = this.#time.now
    this.line.resume()
    this.#answer()
  }

  vanish (): void {
    this.#hasVanished = true
    this.stall()
  }

  leave (isProper: boolean): void {
    if (!isProper || !this.isReading) {
      this.line.reset()
    } else if (this.reading.status === 101) {
      this.line.send(closeFrame(1000))
      this.line.end()
    } else {
      this.line.end()
    }
  }

  /** Forgets what was compared and read. */
  forget (): void {
    const done = Math.min(this.compared, this.#answered)
    this.#lastId = this.reading.seen.slice(0, done).findLast(({ id }) => id !== undefined)?.id ?? this.#lastId
    this.reading.seen.splice(0, done)
    this.compared -= done
    this.#answered -= done
  }

  // What a client does by itself, once it has read so far.
  #answer (): void {
    const { line, reading: { seen, isComplete } } = this
    for (let next = seen[this.#answered]; next !== undefined && next.end <= line.read; next = seen[++this.#answered]) {
      if (next.kind === 'ping') this.#say(frame(OPCODES.pong, ''))
      if (next.kind === 'close') this.#say(closeFrame(1000))
    }
    const isOver = line.isEnded || (isComplete && this.#answered === seen.length && line.waiting === 0)
    if (isOver && line.isReading && !line.isGone) line.end()
  }

  #say (bytes: Buffer): void {
    this.heardAt = this.#time.now
    this.line.send(bytes)
  }
}
