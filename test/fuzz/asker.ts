/** Asks one thing after the other over one connection, and reads the answers. */
import { once } from 'node:events'
import net from 'node:net'
import { parseResponse, type RawResponse } from '../support/socket.ts'

export class Asker {
  readonly #socket: net.Socket
  #received: Buffer = Buffer.alloc(0)
  #wake = () => {}

  private constructor (socket: net.Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => { this.#wake() })
  }

  static async open (port: number): Promise<Asker> {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new Asker(socket)
  }

  /**
   * The answer, whole.
   * @throws if the server ends the connection before that
   */
  async ask (request: Uint8Array): Promise<RawResponse> {
    this.#socket.write(request)
    for (;;) {
      const response = parseResponse(this.#received)
      if (response.complete) {
        this.#received = response.rest
        return response
      }
      if (this.#socket.closed || this.#socket.readableEnded) throw new Error(`the connection ended; what came was ${JSON.stringify(this.#received.toString('latin1', 0, 2_000))}`)
      await new Promise<void>((resolve) => { this.#wake = resolve })
    }
  }

  close (): void {
    this.#socket.destroy()
  }
}
