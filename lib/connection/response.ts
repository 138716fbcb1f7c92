/** Any writable: a response that has no chunks or no socket of its own yet, or what a hook put before the response. */
import type { Writable } from 'node:stream'
import type { PlainTransport } from './transport.ts'
import { Written } from './written.ts'

export class ResponseTransport extends Written<Writable> implements PlainTransport {
  readonly name = 'response'
  readonly #end: () => void
  readonly #destroy: () => void

  /**
   * @param end ends the response
   * @param destroy cuts the connection
   */
  constructor (target: Writable, end: () => void, destroy: () => void) {
    super(target)
    this.#end = end
    this.#destroy = destroy
  }

  get writable (): boolean {
    const { destroyed, writableEnded, socket } = this.target as Writable & { socket?: Writable | null }
    return !destroyed && !writableEnded && socket?.writable !== false
  }

  end (): void {
    this.#end()
  }

  destroy (): void {
    this.#destroy()
  }
}
