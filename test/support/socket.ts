/** A client that speaks HTTP/1 by hand, over TCP or TLS, and remembers every byte it gets. */
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import type { Test } from 'tap'
import { until } from './until.ts'

export interface SocketOptions {
  /** Default 127.0.0.1. */
  host?: string
  /** The address that it comes from. Default: the system's choice. */
  localAddress?: string
  /** Over TLS, whoever signed the certificate. */
  tls?: boolean
  /** Offered over TLS; default: nothing. */
  alpn?: string[]
  /** Does not end its own half when the other side has ended. */
  allowHalfOpen?: boolean
}

export class RawClient {
  /** What it reads from and writes to: TLS or, without it, TCP. */
  readonly socket: net.Socket
  readonly #tcp: net.Socket
  #received: Buffer[] = []
  #state: 'open' | 'ended' | 'closed' = 'open'
  #error: Error | null = null

  constructor (tcp: net.Socket, socket: net.Socket = tcp) {
    this.#tcp = tcp
    this.socket = socket
    socket.on('data', (bytes: Buffer) => { this.#received.push(bytes) })
    socket.on('end', () => { if (this.#state === 'open') this.#state = 'ended' })
    socket.on('error', (error) => { this.#error = error })
    socket.on('close', () => { this.#state = 'closed' })
  }

  /** Everything received so far. */
  get bytes (): Buffer {
    return Buffer.concat(this.#received)
  }

  /** Everything received so far, as UTF-8. */
  get text (): string {
    return this.bytes.toString()
  }

  /** Everything received so far, read as one response. */
  get response (): RawResponse {
    return parseResponse(this.bytes)
  }

  /** Whether the other side has closed its half, or the connection is gone. */
  get isEnded (): boolean {
    return this.#state !== 'open'
  }

  /** What went wrong on the socket, such as ECONNRESET. */
  get error (): Error | null {
    return this.#error
  }

  write (text: string | Uint8Array): this {
    this.socket.write(text)
    return this
  }

  /** Writes a request. Node wants a Host; the headers given here go first. */
  request (method: string, path: string, headers: Record<string, string> = {}, body = ''): this {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    if (body !== '') lines.push(`Content-Length: ${Buffer.byteLength(body)}\r\n`)
    return this.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}Host: localhost\r\n\r\n${body}`)
  }

  get (path: string, headers?: Record<string, string>): this {
    return this.request('GET', path, headers)
  }

  /** Resolves once this text, or what the condition asks for, has been received. Rejects when the other side ends before that. */
  async until (what: string | ((response: RawResponse) => unknown)): Promise<void> {
    const holds = () => typeof what === 'string' ? this.text.includes(what) : Boolean(what(this.response))
    const shown = typeof what === 'string' ? JSON.stringify(what) : String(what)
    await until(() => holds() || this.isEnded, `${shown} was received; it was ${JSON.stringify(this.text)}`)
    if (!holds()) throw new Error(`the server ended before ${shown}; received: ${JSON.stringify(this.text)}`)
  }

  /** Resolves with the response once its head is there. */
  async head (): Promise<RawResponse> {
    await this.until((response) => response.status !== 0)
    return this.response
  }

  /** Resolves with the response once it is complete. */
  async answer (): Promise<RawResponse> {
    await this.until((response) => response.complete)
    return this.response
  }

  /** Resolves once the other side has closed its half, or the connection is gone. */
  async ended (): Promise<void> {
    await until(() => this.isEnded, 'the server ends the connection')
  }

  /** Resolves once the connection is gone both ways. */
  async closed (): Promise<void> {
    await until(() => this.#state === 'closed', 'the connection is closed')
  }

  /** Reads no more: what the server sends piles up. */
  pause (): this {
    this.socket.pause()
    return this
  }

  resume (): this {
    this.socket.resume()
    return this
  }

  /** FIN: writes no more and goes on reading. */
  halfClose (): this {
    this.socket.end()
    return this
  }

  /** FIN, and reads no more either: what a client does that leaves. */
  leave (): this {
    this.socket.destroy()
    return this
  }

  /** FIN of TCP: over TLS without the word that it ends. */
  vanish (): this {
    this.#tcp.destroy()
    return this
  }

  /** Writes below TLS. */
  writeBelow (bytes: string | Uint8Array): this {
    this.#tcp.write(bytes)
    return this
  }

  /** RST. */
  reset (): this {
    this.#tcp.resetAndDestroy()
    return this
  }
}

/** Connects; the connection goes away with the test. */
export async function connect (t: Test, port: number, options: SocketOptions = {}): Promise<RawClient> {
  const tcp = net.connect({ host: options.host ?? '127.0.0.1', port, noDelay: true, allowHalfOpen: options.allowHalfOpen ?? false, ...options.localAddress && { localAddress: options.localAddress } })
  t.teardown(() => { tcp.destroy() })
  await once(tcp, 'connect')
  if (options.tls !== true) return new RawClient(tcp)
  const secure = tls.connect({ socket: tcp, rejectUnauthorized: false, ...options.alpn && { ALPNProtocols: options.alpn } })
  t.teardown(() => { secure.destroy() })
  await once(secure, 'secureConnect')
  return new RawClient(tcp, secure)
}

export interface RawResponse {
  /** 0 while the head is not complete. */
  status: number
  /** The head as it came, from the status line up to the empty line. */
  head: string
  /** Names in lower case; what comes several times is joined by ", " except for Set-Cookie, by "\n". */
  headers: Record<string, string>
  /** Without the framing. */
  body: Buffer
  /** The chunks as they were framed; empty if the body is not chunked. */
  chunks: Buffer[]
  /** Of a chunked body, by name in lower case. */
  trailers: Record<string, string>
  /** Whether the body came to its proper end: terminator or Content-Length. An unframed body has none. */
  complete: boolean
  /** What came behind the end. */
  rest: Buffer
}

const NOTHING = Buffer.alloc(0)

/** Reads one response, however much of it is there. */
export function parseResponse (bytes: Buffer): RawResponse {
  const response = { status: 0, head: '', headers: {}, body: NOTHING, chunks: [], trailers: {}, complete: false, rest: NOTHING }
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return response
  const head = bytes.toString('latin1', 0, end)
  const payload = bytes.subarray(end + 4)
  const headers = parseFields(head.slice(head.indexOf('\r\n') + 2))
  const whole = { ...response, status: Number(head.split(' ', 2)[1]), head, headers }
  if (headers['transfer-encoding'] === 'chunked') {
    const { chunks, complete, rest, trailers } = dechunk(payload)
    return { ...whole, chunks, body: Buffer.concat(chunks), complete, rest, trailers }
  }
  const length = headers['content-length']
  if (length === undefined) return { ...whole, body: payload }
  return { ...whole, body: payload.subarray(0, Number(length)), complete: payload.length >= Number(length), rest: payload.subarray(Number(length)) }
}

/** Takes chunks out of their frames, as far as they are complete. */
export function dechunk (bytes: Buffer): Pick<RawResponse, 'chunks' | 'complete' | 'rest' | 'trailers'> {
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    const line = lineEnd === -1 ? '' : bytes.toString('latin1', at, lineEnd)
    if (lineEnd !== -1 && !/^[0-9a-f]+$/i.test(line)) throw new Error(`not the size of a chunk: ${JSON.stringify(line)}`)
    const size = parseInt(line, 16)
    const start = lineEnd + 2
    if (size === 0) {
      const trailersEnd = bytes.indexOf('\r\n\r\n', lineEnd)
      if (trailersEnd === -1) return { chunks, complete: false, rest: bytes.subarray(at), trailers: {} }
      return { chunks, complete: true, rest: bytes.subarray(trailersEnd + 4), trailers: parseFields(bytes.toString('latin1', start, trailersEnd)) }
    }
    if (lineEnd === -1 || bytes.length < start + size + 2) return { chunks, complete: false, rest: bytes.subarray(at), trailers: {} }
    if (bytes.toString('latin1', start + size, start + size + 2) !== '\r\n') throw new Error('a chunk is not as long as its size says')
    chunks.push(bytes.subarray(start, start + size))
    at = start + size + 2
  }
}

function parseFields (text: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const line of text.split('\r\n').filter((line) => line !== '')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = fields[name]
    fields[name] = before === undefined ? value : before + (name === 'set-cookie' ? '\n' : ', ') + value
  }
  return fields
}
