/** What was sent and is not yet written: gathered in order, written at once, with a promise of room for those who wait. */
import { nextTurn } from './tick.ts'
import type { Transport } from './transport.ts'

interface Waiter { promise: Promise<boolean>, settle: (room: boolean) => void }

export class Outbox {
  readonly #highWaterMark: number
  #transport: Transport | null = null
  // Text and bytes in order: #parts, then #text. Nearly always only #text.
  #text = ''
  #textSize = 0
  #parts: Array<{ text: string, size: number } | Uint8Array> | null = null
  #partsSize = 0
  // Whether the last write left something queued in the transport: asking it each time would cost more than the send.
  #backlogged = false
  #waiter: Waiter | null = null

  constructor (highWaterMark: number) {
    this.#highWaterMark = highWaterMark
  }

  /** Bytes gathered, and bytes given to the transport that the operating system has not taken. */
  get queued (): number {
    return this.gathered + this.backlog
  }

  /** Of these, the bytes not yet given to the transport. */
  get gathered (): number {
    return this.#textSize + this.#partsSize
  }

  /** Of these, the bytes given to the transport. */
  get backlog (): number {
    return this.#backlogged ? (this.#transport as Transport).queued : 0
  }

  get transport (): Transport | null {
    return this.#transport
  }

  attach (transport: Transport): void {
    this.#transport = transport
  }

  addText (text: string, size: number): void {
    this.#text += text
    this.#textSize += size
  }

  addBytes (bytes: Uint8Array): void {
    this.#parts ??= []
    this.#shelve()
    this.#parts.push(bytes)
    this.#partsSize += bytes.byteLength
  }

  /** Puts text of `size` bytes before everything gathered. */
  prepend (text: string, size: number): void {
    if (this.#parts === null) this.#text = text + this.#text
    else this.#parts.unshift({ text, size })
    if (this.#parts === null) this.#textSize += size
    else this.#partsSize += size
  }

  /** Gives everything gathered to the transport, in one write where it can be one. */
  flush (): void {
    const transport = this.#transport as Transport
    const written = this.#waiter === null ? undefined : () => { this.#written() }
    if (this.#parts !== null) {
      this.#shelve()
      const parts = this.#parts
      this.#parts = null
      this.#partsSize = 0
      transport.writeBytes(join(parts), written)
    } else if (this.#textSize !== 0) {
      const text = this.#text
      const size = this.#textSize
      this.#text = ''
      this.#textSize = 0
      transport.writeText(text, size, written)
    }
    this.#backlogged = transport.queued !== 0
  }

  /**
   * Settles with true once there is room again, in a later turn of the event loop; with false if the connection ends
   * first. The next flush brings the news.
   */
  room (): Promise<boolean> {
    if (this.#waiter === null) {
      let settle: Waiter['settle'] = () => {}
      const promise = new Promise<boolean>((resolve) => { settle = resolve })
      this.#waiter = { promise, settle }
    }
    return this.#waiter.promise
  }

  /** Tells those who wait that there will be no room. */
  refuse (): void {
    this.#waiter?.settle(false)
    this.#waiter = null
  }

  /** Forgets what was gathered: nobody will read it. */
  clear (): void {
    this.#text = ''
    this.#textSize = 0
    this.#parts = null
    this.#partsSize = 0
    this.#backlogged = false
    this.#transport = null
    this.refuse()
  }

  // Room in a later turn, also when the write was done at once: else an awaited loop to a fast reader starves the rest.
  // A write that was added meanwhile brings its own news.
  #written (): void {
    void nextTurn().then(() => {
      if (this.#waiter === null || this.queued > this.#highWaterMark) return
      this.#waiter.settle(true)
      this.#waiter = null
    })
  }

  #shelve (): void {
    if (this.#textSize === 0) return
    this.#parts?.push({ text: this.#text, size: this.#textSize })
    this.#partsSize += this.#textSize
    this.#text = ''
    this.#textSize = 0
  }
}

function join (parts: Array<{ text: string, size: number } | Uint8Array>): Uint8Array {
  if (parts.length === 1 && parts[0] instanceof Uint8Array) return parts[0]
  return Buffer.concat(parts.map((part) => part instanceof Uint8Array ? part : Buffer.from(part.text)))
}
