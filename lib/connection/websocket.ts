/**
 * A WebSocket: frames that were built before are written straight to the upgraded socket. The library that upgraded it
 * reads, and writes control frames: each of them whole, so none comes to lie within one of ours.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Frame } from '../wire/frame.ts'
import { CLOSE_CODES } from './close-codes.ts'
import type { CloseReason } from './reasons.ts'
import { SignsOfLife } from './signs-of-life.ts'
import { writeSliced } from './slices.ts'
import { LATER_SLACK, type Transport } from './transport.ts'

/** What is needed of a WebSocket of ws. */
export interface Wire {
  readonly readyState: number
  close: (code: number, reason?: string) => void
  terminate: () => void
  ping: () => void
  pause: () => void
  resume: () => void
  on: ((event: 'message', listener: (data: Buffer, isBinary: boolean) => void) => unknown) &
    ((event: 'close', listener: (code: number) => void) => unknown) &
    ((event: 'error', listener: (error: Error) => void) => unknown)
}

const OPEN = 1

// A string of up to this many bytes is copied on the stack and sent at once; a larger one would be copied to the heap first.
const STACK_BYTES = 16 * 1024

export class WebSocketTransport implements Transport {
  readonly name = 'websocket'
  readonly slack: number
  inform: ((message: unknown) => boolean) | null = null
  readonly #wire: Wire
  readonly #socket: Duplex
  #given = 0
  #isEnding = false
  // The code that the app closes with, and its words.
  #farewell: { code: number, reason: string } | null = null
  readonly #signs = new SignsOfLife(0, performance.now())

  /** @param socket what was upgraded; the head of the response is out */
  constructor (wire: Wire, socket: Duplex) {
    this.#wire = wire
    this.#socket = socket
    this.slack = socket instanceof Socket && !(socket instanceof TLSSocket) ? 0 : LATER_SLACK
  }

  // The close frame counts until the client has answered it: that is awaited for no longer than a write.
  get queued (): number {
    return this.#socket.writableLength + (this.#isEnding ? 1 : 0)
  }

  get taken (): number {
    return this.#socket instanceof Socket ? this.#socket.bytesWritten - this.#socket.writableLength : this.#given - this.#socket.writableLength
  }

  get writable (): boolean {
    return this.#wire.readyState === OPEN && this.#socket.writable
  }

  writeText (text: string, size: number, written?: () => void): void {
    if (size > STACK_BYTES) {
      this.writeBytes(Buffer.from(text, 'latin1'), written)
      return
    }
    this.#given += size
    this.#socket.write(text, 'latin1', written)
  }

  writeBytes (bytes: Uint8Array, written?: () => void): void {
    this.#given += bytes.byteLength
    writeSliced(this.#socket, bytes, written)
  }

  writeFrame ({ latin1, size }: Frame, written?: () => void): void {
    if (typeof latin1 === 'string') this.writeText(latin1, size, written)
    else this.writeBytes(latin1, written)
  }

  /** What the app says when it closes, in place of the code of the reason. */
  bidFarewell (code: number, reason: string): void {
    this.#farewell = { code, reason }
  }

  end (_last: boolean, reason: CloseReason): void {
    this.#isEnding = true
    if (this.#farewell === null) this.#wire.close(CLOSE_CODES[reason])
    else this.#wire.close(this.#farewell.code, this.#farewell.reason)
  }

  // Who has failed says so, to a client that has taken everything: behind what it has not, the code would not arrive.
  destroy (reason: CloseReason): void {
    const isSaid = reason === 'error' || reason === 'overflow'
    if (isSaid && this.writable && this.#socket instanceof Socket && this.#socket.writableLength === 0) {
      this.#wire.close(CLOSE_CODES[reason])
      this.#socket.destroySoon()
    } else {
      this.#wire.terminate()
    }
  }

  // Bytes that wait have a deadline of their own, and at the other end of what is no socket is this process.
  probe (now: number, heartbeat: number): 'asked' | 'client' | 'timeout' | null {
    if (this.#wire.readyState !== OPEN) return 'client'   // it has sent a close frame
    if (heartbeat === 0 || !(this.#socket instanceof Socket)) return null
    const { bytesRead } = this.#socket
    if (this.#socket.isPaused() || this.#socket.writableLength !== 0) {
      this.#signs.forgive(bytesRead, now)
      return null
    }
    const due = this.#signs.look(bytesRead, now, heartbeat)
    if (due === 'asked') this.#wire.ping()
    return due
  }
}
