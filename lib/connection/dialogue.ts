/** What a WebSocket's handler does for one connection: init, then handle and info in the order in which they come, terminate last. */
import { PST_ERR_ANSWER } from '../errors.ts'
import { isThenable } from '../thenable.ts'
import { Queue } from '../topics/queue.ts'
import { encodeData } from '../wire/event-stream.ts'
import { isCloseCode, TOO_LARGE } from './close-codes.ts'
import type { Connection } from './connection.ts'
import type { CloseReason } from './reasons.ts'
import type { Sent } from './sender.ts'
import type { WebSocketTransport, Wire } from './websocket.ts'

/** A handler's parts, bound to what they are called with besides. */
export interface Parts {
  init: (() => unknown) | null
  handle: ((message: string | Buffer) => unknown) | null
  info: ((message: unknown) => unknown) | null
  terminate: ((reason: CloseReason) => unknown) | null
}

type Part = keyof Parts

interface Task {
  readonly part: Part
  readonly run: () => unknown
  /** Bytes that wait with it. */
  readonly size: number
}

// So many messages may wait for those before them; then the client is not read from, and its leaving not seen.
const MAX_MESSAGES = 64

// The app's own are not kept waiting, so there is an end to them.
const MAX_INFOS = 1024

// [RFC 6455, 5.5] a control frame carries 125 bytes, of which the code takes two.
const MAX_REASON = 123

const CLOSE_RULE = `true, a close code, or { code, reason } with a reason of up to ${MAX_REASON} bytes`

export class Dialogue {
  readonly #connection: Connection
  readonly #wire: Wire
  readonly #transport: WebSocketTransport
  readonly #parts: Parts
  readonly #waiting = new Queue<Task>()
  #bytes = 0
  #messages = 0
  // Until `begin`, and while something runs that is not settled.
  #isBusy = true
  #isPaused = false

  /** @param maxPayload bytes of one message */
  constructor (connection: Connection, wire: Wire, transport: WebSocketTransport, parts: Parts, maxPayload: number) {
    this.#connection = connection
    this.#wire = wire
    this.#transport = transport
    this.#parts = parts
    wire.on('message', (data, isBinary) => {
      if (connection.reason !== null) return
      if (data.byteLength > maxPayload) this.#refuse()
      else if (parts.handle !== null) this.#message(parts.handle, data, isBinary)
    })
    // It has closed already, with the code that says what was wrong with what the client sent.
    wire.on('error', () => { connection.close('client') })
    wire.on('close', () => { connection.ended('client') })
    const { info } = parts
    if (info !== null) transport.inform = (message) => this.#inform(info, message)
  }

  /** The connection is open. */
  begin (): void {
    const { init, terminate } = this.#parts
    this.#isBusy = false
    if (init !== null) this.#run({ part: 'init', run: init, size: 0 })
    this.#goOn()
    if (terminate === null) return
    void this.#connection.closed.then((reason) => { this.#add({ part: 'terminate', run: () => terminate(reason), size: 0 }) })
  }

  #message (handle: (message: string | Buffer) => unknown, data: Buffer, isBinary: boolean): void {
    const message = isBinary ? data : data.toString()
    this.#add({ part: 'handle', run: () => handle(message), size: data.byteLength })
    if (this.#waiting.length === 0 || this.#isPaused) return
    if (this.#messages < MAX_MESSAGES && this.#bytes <= this.#connection.settings.highWaterMark) return
    this.#isPaused = true
    this.#wire.pause()
  }

  #inform (info: (message: unknown) => unknown, message: unknown): boolean {
    if (this.#waiting.length - this.#messages >= MAX_INFOS) return false
    this.#add({ part: 'info', run: () => info(message), size: 0 })
    return true
  }

  #refuse (): void {
    this.#transport.bidFarewell(TOO_LARGE, '')
    this.#connection.close('client')
  }

  #add (task: Task): void {
    if (this.#isBusy) {
      this.#waiting.push(task)
      this.#count(task, 1)
    } else {
      this.#run(task)
      this.#goOn()
    }
  }

  #count ({ part, size }: Task, sign: 1 | -1): void {
    if (part !== 'handle') return
    this.#messages += sign
    this.#bytes += sign * size
  }

  #goOn (): void {
    while (!this.#isBusy) {
      const task = this.#waiting.shift()
      if (task === undefined) break
      this.#count(task, -1)
      this.#run(task)
    }
    if (!this.#isPaused || this.#waiting.length !== 0) return
    this.#isPaused = false
    this.#wire.resume()
  }

  // What the client had sent before it left is still handled; once we have closed, nothing is.
  #run ({ part, run }: Task): void {
    const { reason } = this.#connection
    if (part !== 'terminate' && reason !== null && reason !== 'client') return
    this.#isBusy = true
    try {
      const result = run()
      const sent = isThenable(result) ? Promise.resolve(result).then((answer) => this.#apply(part, answer)) : this.#apply(part, result)
      if (sent instanceof Promise) {
        this.#await(part, sent)
        return
      }
    } catch (err) {
      this.#fail(part, err)
    }
    this.#isBusy = false
  }

  #await (part: Part, sent: Promise<boolean>): void {
    const goOn = () => {
      this.#isBusy = false
      this.#goOn()
    }
    sent.then(goOn, (err: unknown) => {
      this.#fail(part, err)
      goOn()
    })
  }

  // What a verb answered is no answer.
  #apply (part: Part, answer: unknown): Sent {
    if (answer === undefined || typeof answer === 'boolean' || part === 'terminate') return true
    if (typeof answer !== 'object' || answer === null) throw new PST_ERR_ANSWER(part, 'nothing, or { reply, close }')
    const { reply, close, ...rest } = answer as { reply?: unknown, close?: unknown }
    // A generator has no fields of its own: it would be passed over.
    if (Object.keys(rest).length !== 0 || Symbol.iterator in answer || Symbol.asyncIterator in answer) throw new PST_ERR_ANSWER(part, 'nothing, or { reply, close }')
    const sent = reply === undefined || this.#connection.chunk(typeof reply === 'string' || reply instanceof Uint8Array ? reply : encodeData(reply))
    if (close !== undefined && close !== false) this.#close(part, close)
    return sent
  }

  #close (part: Part, close: unknown): void {
    if (close !== true) {
      const { code = 1000, reason = '' } = (typeof close === 'number' ? { code: close } : Object(close)) as { code?: unknown, reason?: unknown }
      const isRight = (typeof close === 'number' || (typeof close === 'object' && close !== null)) && isCloseCode(code) && typeof reason === 'string' && Buffer.byteLength(reason) <= MAX_REASON
      if (!isRight) throw new PST_ERR_ANSWER(part, `closed by ${CLOSE_RULE}`)
      this.#transport.bidFarewell(code, reason)
    }
    this.#connection.close()
  }

  #fail (part: Part, err: unknown): void {
    const { log, id } = this.#connection
    log.error({ err, connection: id }, `the "${part}" of a WebSocket failed`)
    this.#connection.close('error')
  }
}
