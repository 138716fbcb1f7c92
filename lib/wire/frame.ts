/** Text for many connections: encoded and framed once for each wire, its bytes shared by all. */
import { frameAscii, frameText } from './chunked.ts'

// Up to this many bytes a string is copied on the stack and sent at once, which is no dearer than a Buffer; larger ones
// are shared, so that what a slow client leaves behind costs nothing more.
const STRING_BYTES = 2 * 1024

export class Frame {
  readonly text: string
  /** Bytes in UTF-8. */
  readonly size: number
  #bytes: Buffer | null = null
  #chunk: string | Buffer | null = null

  /** @param text well-formed */
  constructor (text: string) {
    this.text = text
    this.size = Buffer.byteLength(text)
  }

  /** As it is. */
  get bytes (): Buffer {
    this.#bytes ??= Buffer.from(this.text)
    return this.#bytes
  }

  /** As a chunk of HTTP/1.1: bytes, or a string with one byte in each character, to be written as latin1. */
  get chunk (): string | Buffer {
    this.#chunk ??= this.#frame()
    return this.#chunk
  }

  #frame (): string | Buffer {
    if (this.size > STRING_BYTES) return frameText(this.text, this.size)
    return frameAscii(this.size === this.text.length ? this.text : this.bytes.toString('latin1'))
  }
}
