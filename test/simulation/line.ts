/** A line between a client and the server that needs no network: the server's end is a socket to Node, the client's end is played. */
import { Socket } from 'node:net'
import type { VirtualTime } from './virtual-time.ts'

type Written = (error?: Error | null) => void

interface Held { bytes: number, written: Written }

export class Line {
  readonly socket: Socket
  /** Whether the client reads what arrives. */
  isReading = true
  isGone = false
  /** Whether the server has ended its side. */
  isEnded = false
  /** Of all that the server gave, what the client has read, in bytes. */
  read = 0
  /** When the server last saw bytes being taken, or had none waiting, ms. */
  movedAt: number
  readonly #time: VirtualTime
  readonly #capacity: number
  // What the server wrote and was not told to be taken.
  readonly #held: Held[] = []
  #taken = 0
  #sent = 0

  /**
   * @param capacity bytes that the way holds for a client that does not read
   * @param given is called with all that the server gives the socket, at once
   * @param ended is called when the server has ended its side, behind all that
   */
  constructor (time: VirtualTime, capacity: number, given: (bytes: Buffer) => void, ended: () => void) {
    this.#time = time
    this.#capacity = capacity
    this.movedAt = time.now
    this.socket = this.#makeSocket(given, ended)
  }

  /** Bytes that the server still waits for to be taken. */
  get waiting (): number {
    return this.socket.writableLength
  }

  send (bytes: string | Uint8Array): void {
    if (this.isGone || this.socket.destroyed) return
    this.#time.activity++
    const all = Buffer.from(bytes as string)
    this.#sent += all.length
    this.socket.push(all)
  }

  stall (): void {
    this.isReading = false
  }

  resume (): void {
    this.isReading = true
    this.read = this.#taken
    this.#pass()
  }

  /** A FIN, behind which the client reads on until the server ends, too. */
  end (): void {
    this.#time.activity++
    this.isGone = true
    this.socket.push(null)
  }

  reset (): void {
    this.#time.activity++
    this.isGone = true
    this.socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  }

  #makeSocket (given: (bytes: Buffer) => void, ended: () => void): Socket {
    const socket = new Socket({ allowHalfOpen: true })
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
    Object.assign(socket, {
      write: (bytes: string | Uint8Array, ...args: unknown[]) => {
        if (socket.writable) given(Buffer.from(bytes as string, args[0] as BufferEncoding))
        return write(bytes, ...args)
      },
      _read: () => {},
      _write: (bytes: Buffer | string, encoding: BufferEncoding, written: Written) => { this.#hold(Buffer.byteLength(bytes, encoding), written) },
      _writev: (pieces: Array<{ chunk: Buffer | string, encoding: BufferEncoding }>, written: Written) => {
        this.#hold(pieces.reduce((bytes, { chunk, encoding }) => bytes + Buffer.byteLength(chunk, encoding), 0), written)
      },
      _final: (written: Written) => {
        this.#time.activity++
        this.isEnded = true
        written()
        ended()
      }
    })
    Object.defineProperty(socket, 'bytesWritten', { get: () => this.#taken + socket.writableLength })
    Object.defineProperty(socket, 'bytesRead', { get: () => this.#sent })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#time.activity++
      this.isEnded = true
    })
    return socket
  }

  #hold (bytes: number, written: Written): void {
    this.#time.activity++
    if (this.#held.length === 0) this.movedAt = this.#time.now
    this.#held.push({ bytes, written })
    this.#pass()
  }

  #pass (): void {
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      if (!this.isReading && this.#taken + first.bytes - this.read > this.#capacity) return
      this.#held.shift()
      this.#time.activity++
      this.movedAt = this.#time.now
      this.#taken += first.bytes
      if (this.isReading) this.read = this.#taken
      first.written()
    }
  }
}
