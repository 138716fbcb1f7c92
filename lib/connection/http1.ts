/** HTTP/1.1 with a real socket: chunks are framed here and written straight to it, one write for all that was gathered. */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { frameAscii, frameBytes, frameText } from '../wire/chunked.ts'
import type { SharedBytes } from '../wire/frame.ts'
import { writeSliced } from './slices.ts'
import { unmarkStreaming } from './stray.ts'
import { LATER_SLACK, type PlainTransport } from './transport.ts'

// A string of up to this many bytes is copied on the stack and sent at once; a larger one would be copied to the heap first.
const STACK_BYTES = 16 * 1024 - 16

export class Http1Transport implements PlainTransport {
  readonly name = 'http1'
  readonly slack: number
  readonly #response: ServerResponse
  readonly #socket: Socket

  /** @param response its head says `Transfer-Encoding: chunked` and is out; its turn on the socket has come */
  constructor (response: ServerResponse, socket: Socket) {
    this.#response = response
    this.#socket = socket
    this.slack = socket instanceof TLSSocket ? LATER_SLACK : 0
  }

  get queued (): number {
    return this.#socket.writableLength
  }

  get taken (): number {
    return this.#socket.bytesWritten - this.#socket.writableLength
  }

  get writable (): boolean {
    return this.#socket.writable
  }

  writeText (text: string, size: number, written?: () => void): void {
    if (size === text.length && size <= STACK_BYTES) this.#socket.write(frameAscii(text), 'latin1', written)
    else writeSliced(this.#socket, frameText(text, size), written)
  }

  writeBytes (bytes: Uint8Array, written?: () => void): void {
    writeSliced(this.#socket, frameBytes(bytes), written)
  }

  writeFrame ({ chunk }: SharedBytes, written?: () => void): void {
    if (typeof chunk === 'string') this.#socket.write(chunk, 'latin1', written)
    else writeSliced(this.#socket, chunk, written)
  }

  end (last: boolean): void {
    unmarkStreaming(this.#socket)
    if (last) this.#response.end(() => this.#socket.destroySoon())
    else this.#response.end()
  }

  destroy (): void {
    this.#socket.destroy()
  }
}
