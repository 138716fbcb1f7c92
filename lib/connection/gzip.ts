/**
 * What compresses a stream with gzip, for whichever transport is behind it: at once, each write so that it can be read
 * at once, and what many connections get once for all of them.
 */
import { crc32 } from 'node:zlib'
import { deflate, GZIP_HEAD, gzipTail } from '../wire/deflate.ts'
import type { Frame } from '../wire/frame.ts'
import { Compressing } from './compressing.ts'
import type { PlainTransport, Transport } from './transport.ts'

// What is kept of what was written last, for the next to lean on: a few of the usual events.
const KEPT_BYTES = 4 * 1024

export class GzipTransport extends Compressing implements Transport {
  // What was written last, and the next may lean on: a frame that others got as well, or bytes of this connection alone.
  #frame: Frame | null = null
  #bytes: Uint8Array | null = null
  #crc = 0
  #size = 0

  /** @param transport the head is out */
  constructor (transport: PlainTransport) {
    super(transport)
    transport.writeBytes(GZIP_HEAD)
  }

  get queued (): number {
    return this.transport.queued
  }

  get slack (): number {
    return this.transport.slack
  }

  get writable (): boolean {
    return this.transport.writable
  }

  writeText (text: string, _size: number, written?: () => void): void {
    const bytes = Buffer.from(text)
    this.#write(bytes, bytes.length > KEPT_BYTES ? null : bytes, written)
  }

  writeBytes (bytes: Uint8Array, written?: () => void): void {
    // A copy: they are the app's, which may use them again once they are written.
    this.#write(bytes, bytes.byteLength > KEPT_BYTES ? null : Buffer.from(bytes), written)
  }

  writeFrame (frame: Frame, written?: () => void): void {
    const deflated = frame.deflatedAfter(this.#frame)
    this.#frame = frame.size > KEPT_BYTES ? null : frame
    this.#bytes = null
    this.#count(frame.bytes)
    this.transport.writeFrame(deflated, written)
  }

  end (last: boolean): void {
    this.transport.writeBytes(gzipTail(this.#crc, this.#size))
    this.transport.end(last)
  }

  #write (bytes: Uint8Array, kept: Uint8Array | null, written: (() => void) | undefined): void {
    const deflated = deflate(bytes, this.#frame?.bytes ?? this.#bytes)
    this.#frame = null
    this.#bytes = kept
    this.#count(bytes)
    this.transport.writeBytes(deflated, written)
  }

  #count (bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return   // of which Node may forget the sum
    this.#crc = crc32(bytes, this.#crc)
    this.#size += bytes.byteLength
  }
}
