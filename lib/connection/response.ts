/** Any writable: a response that has no chunks or no socket of its own yet, or what a hook put before the response. */
import type { Writable } from 'node:stream'
import type { Transport } from './transport.ts'

export class ResponseTransport implements Transport {
  readonly name = 'response'
  readonly #writable: Writable
  readonly #end: () => void
  readonly #destroy: () => void
  #given = 0

  /**
   * @param end ends the response
   * @param destroy cuts the connection
   */
  constructor (writable: Writable, end: () => void, destroy: () => void) {
    this.#writable = writable
    this.#end = end
    this.#destroy = destroy
  }

  get queued (): number {
    return this.#writable.writableLength
  }

  get taken (): number {
    return this.#given - this.#writable.writableLength
  }

  get writable (): boolean {
    const { destroyed, writableEnded, socket } = this.#writable as Writable & { socket?: Writable | null }
    return !destroyed && !writableEnded && socket?.writable !== false
  }

  writeText (text: string, size: number, written?: () => void): void {
    this.#given += size
    this.#writable.write(text, 'utf8', written)
  }

  writeBytes (bytes: Uint8Array, written?: () => void): void {
    this.#given += bytes.byteLength
    this.#writable.write(bytes, written)
  }

  end (): void {
    this.#end()
  }

  destroy (): void {
    this.#destroy()
  }
}
