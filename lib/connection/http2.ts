/** HTTP/2: one stream of a session, which frames what it is given. */
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Transport } from './transport.ts'

export class Http2Transport implements Transport {
  readonly name = 'http2'
  readonly #stream: ServerHttp2Stream
  #given = 0

  /** @param stream its head is out */
  constructor (stream: ServerHttp2Stream) {
    this.#stream = stream
  }

  get queued (): number {
    return this.#stream.writableLength
  }

  get taken (): number {
    return this.#given - this.#stream.writableLength
  }

  get writable (): boolean {
    return this.#stream.writable
  }

  writeText (text: string, size: number, written?: () => void): void {
    this.#given += size
    this.#stream.write(text, 'utf8', written)
  }

  writeBytes (bytes: Uint8Array, written?: () => void): void {
    this.#given += bytes.byteLength
    this.#stream.write(bytes, written)
  }

  end (): void {
    this.#stream.end()
  }

  destroy (): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}
