/** What compresses a stream with a compressor of its own, for whichever transport is behind it. */
import type { Transform } from 'node:stream'
import type { Frame } from '../wire/frame.ts'
import { Compressing } from './compressing.ts'
import { LATER_SLACK, type PlainTransport, type Transport } from './transport.ts'

/** One of zlib's, which gives out what it has behind each write. */
export type Compressor = Transform

export class CompressorTransport extends Compressing implements Transport {
  readonly slack = LATER_SLACK
  readonly #compressor: Compressor
  // What has come out of a write that is not yet through.
  #pieces: Buffer[] = []
  #size = 0

  /** @param transport the head is out */
  constructor (transport: PlainTransport, compressor: Compressor) {
    super(transport)
    this.#compressor = compressor
    compressor.on('readable', () => { this.#gather() })
    compressor.on('error', () => { transport.destroy('error') })   // it is out of memory
  }

  get queued (): number {
    return this.#compressor.writableLength + this.#size + this.transport.queued
  }

  get writable (): boolean {
    return this.transport.writable && this.#compressor.writable
  }

  writeText (text: string, _size: number, written?: () => void): void {
    this.writeBytes(Buffer.from(text), written)
  }

  writeBytes (bytes: Uint8Array, written?: () => void): void {
    this.#compressor.write(bytes, () => {
      this.#gather()
      this.#pass(written)
    })
  }

  writeFrame ({ bytes }: Frame, written?: () => void): void {
    this.writeBytes(bytes, written)
  }

  end (last: boolean): void {
    this.#compressor.once('end', () => {
      this.#pass()
      this.transport.end(last)
    })
    this.#compressor.end()
  }

  #gather (): void {
    const bytes = this.#compressor.read() as Buffer | null
    if (bytes === null) return
    this.#pieces.push(bytes)
    this.#size += bytes.length
  }

  #pass (written?: () => void): void {
    const pieces = this.#pieces
    if (pieces.length === 0) {   // the client has gone
      written?.()
      return
    }
    this.#pieces = []
    this.#size = 0
    this.transport.writeBytes(pieces.length === 1 ? pieces[0] as Buffer : Buffer.concat(pieces), written)
  }
}
