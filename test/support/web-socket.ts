/** A WebSocket client, ws, that remembers what it gets. */
import { once } from 'node:events'
import type { Test } from 'tap'
import WebSocket, { type ClientOptions } from 'ws'
import { until } from './until.ts'

export interface DialOptions extends ClientOptions {
  protocols?: string[]
  /** Whether it is let in. Default: true. */
  opens?: boolean
}

export class SocketClient {
  readonly ws: WebSocket
  /** The code and reason that it learns at the end. */
  readonly closed: Promise<{ code: number, reason: string }>
  /** The status, if it is not let in. */
  readonly refused: Promise<number>
  /** Messages that nobody has asked for yet. */
  readonly waiting: Array<string | Buffer> = []

  constructor (ws: WebSocket) {
    this.ws = ws
    this.closed = new Promise((resolve) => { ws.once('close', (code, reason) => { resolve({ code, reason: reason.toString() }) }) })
    this.refused = new Promise((resolve) => {
      ws.once('unexpected-response', (request, response) => {
        resolve(response.statusCode ?? 0)
        request.destroy()
      })
    })
    ws.on('error', () => {})
    ws.on('message', (data: Buffer, isBinary) => { this.waiting.push(isBinary ? data : data.toString()) })
  }

  send (message: string | Uint8Array): void {
    this.ws.send(message)
  }

  /** The next message as it came: text is a string, binary a Buffer. */
  async raw (): Promise<string | Buffer> {
    await until(() => this.waiting.length > 0, 'a message comes')
    return this.waiting.shift() as string | Buffer
  }

  /** The next message, a JSON text. */
  async next (): Promise<unknown> {
    const message = await this.raw()
    if (typeof message !== 'string') throw new Error(`a binary message came: ${message.toString('hex')}`)
    return JSON.parse(message)
  }
}

/** Connects, and is let in unless the options say otherwise; the connection goes away with the test. */
export async function dial (t: Test, { origin }: { origin: string }, path: string, { protocols = [], opens = true, ...options }: DialOptions = {}): Promise<SocketClient> {
  const ws = new WebSocket(origin.replace('http', 'ws') + path, protocols, { rejectUnauthorized: false, ...options })
  t.teardown(() => { ws.terminate() })
  const client = new SocketClient(ws)
  if (opens) await once(ws, 'open')
  return client
}
