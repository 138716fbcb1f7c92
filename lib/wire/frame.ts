/** Text for many connections: encoded, framed and compressed once for each wire, its bytes shared by all. */
import { frameAscii, frameBytes, frameText } from './chunked.ts'
import { deflate } from './deflate.ts'
import type { TextEncoding } from './format.ts'

/** Bytes for many connections, as transports write them. */
export interface SharedBytes {
  /** As they are. */
  readonly bytes: Buffer
  /** As a chunk of HTTP/1.1: bytes, or a string with one byte in each character, to be written as latin1. */
  readonly chunk: string | Buffer
}

// Up to this many bytes a string is copied on the stack and sent at once, which is no dearer than a Buffer; larger ones
// are shared, so that what a slow client leaves behind costs nothing more.
const STRING_BYTES = 2 * 1024

// Who gets the same frame got the same one before, but for a few who have just come or have had something of their own.
const MAX_VARIANTS = 4

let count = 0

export class Frame implements SharedBytes {
  readonly text: string
  /** Bytes, as it is written. */
  readonly size: number
  /** Tells it from all others, without holding them. */
  readonly serial = ++count
  readonly #encoding: TextEncoding
  #bytes: Buffer | null = null
  #chunk: string | Buffer | null = null
  #deflated: Map<number, SharedBytes> | null = null

  /**
   * @param text well-formed
   * @param encoding `latin1` for text with one byte in each character
   */
  constructor (text: string, encoding: TextEncoding = 'utf8') {
    this.text = text
    this.#encoding = encoding
    this.size = encoding === 'utf8' ? Buffer.byteLength(text) : text.length
  }

  get bytes (): Buffer {
    this.#bytes ??= Buffer.from(this.text, this.#encoding)
    return this.#bytes
  }

  /** Of text with one byte in each character: itself, to be written as latin1, or bytes. */
  get latin1 (): string | Buffer {
    return this.size > STRING_BYTES ? this.bytes : this.text
  }

  get chunk (): string | Buffer {
    this.#chunk ??= this.#frame()
    return this.#chunk
  }

  /**
   * As a piece of a compressed stream.
   * @param before the frame that went out right before it; null: anything else did
   */
  deflatedAfter (before: Pick<Frame, 'serial' | 'bytes'> | null): SharedBytes {
    this.#deflated ??= new Map()
    const known = this.#deflated.get(before?.serial ?? 0)
    if (known !== undefined) return known
    const deflated = new Deflated(deflate(this.bytes, before?.bytes ?? null))
    if (this.#deflated.size < MAX_VARIANTS) this.#deflated.set(before?.serial ?? 0, deflated)
    return deflated
  }

  #frame (): string | Buffer {
    if (this.size > STRING_BYTES) return frameText(this.text, this.size)
    return frameAscii(this.size === this.text.length ? this.text : this.bytes.toString('latin1'))
  }
}

class Deflated implements SharedBytes {
  readonly bytes: Buffer
  #chunk: string | Buffer | null = null

  constructor (bytes: Buffer) {
    this.bytes = bytes
  }

  get chunk (): string | Buffer {
    this.#chunk ??= this.bytes.length > STRING_BYTES ? frameBytes(this.bytes) : frameAscii(this.bytes.toString('latin1'))
    return this.#chunk
  }
}
