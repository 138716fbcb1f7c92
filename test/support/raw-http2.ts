/** A client of HTTP/2 by hand: sends any frame, answers none, and remembers those that come. */
import type { Test } from 'tap'
import { connect, type RawClient, type SocketOptions } from './socket.ts'
import { until } from './until.ts'

export interface Http2Frame {
  type: number
  flags: number
  stream: number
  payload: Buffer
}

export const FRAMES = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goaway: 7, window: 8, continuation: 9 } as const
export const FLAGS = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const
export const SETTINGS = { tableSize: 1, push: 2, maxStreams: 3, initialWindow: 4, maxFrame: 5, maxHeaders: 6 } as const

/** As large as a window may be. */
export const WIDE_OPEN = 2 ** 31 - 1

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const HEAD_SIZE = 9
// What windows are before anybody says otherwise.
const INITIAL_WINDOW = 65_535

export function frame (type: number, flags: number, stream: number, payload: string | Uint8Array = ''): Buffer {
  const body = Buffer.from(payload as string, 'latin1')
  const head = Buffer.alloc(HEAD_SIZE)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

export function settings (...values: Array<[id: number, value: number]>): Buffer {
  const payload = Buffer.alloc(values.length * 6)
  for (const [nth, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, nth * 6)
    payload.writeUInt32BE(value, nth * 6 + 2)
  }
  return frame(FRAMES.settings, 0, 0, payload)
}

/** Of a window, a reset: all that have one number for a payload. */
export function number (type: number, stream: number, value: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(value)
  return frame(type, 0, stream, payload)
}

/** [RFC 7541, 6.2.2] Headers that no table has, up to 126 bytes each. */
export function literals (headers: Record<string, string>): Buffer {
  return Buffer.concat(Object.entries(headers).map(([name, value]) => Buffer.from(`\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`, 'latin1')))
}

/** A block of headers: `GET` of the path, over http. */
export function getBlock (path: string, headers: Record<string, string> = {}): Buffer {
  return Buffer.concat([Buffer.from([0x82, 0x86]), literals({ ':path': path, ':authority': 'localhost', ...headers })])
}

export class RawHttp2 {
  readonly client: RawClient
  /** Those that are complete. */
  readonly frames: Http2Frame[] = []
  #rest: Buffer = Buffer.alloc(0)

  constructor (client: RawClient) {
    this.client = client
    client.socket.on('data', (bytes: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, bytes])
      while (this.#take());
    })
  }

  /** The frames of this type, of one stream or all. */
  of (type: number, stream?: number): Http2Frame[] {
    return this.frames.filter((frame) => frame.type === type && (stream === undefined || frame.stream === stream))
  }

  /** What a stream has brought. */
  text (stream: number): string {
    return Buffer.concat(this.of(FRAMES.data, stream).map(({ payload }) => payload)).toString()
  }

  /** The code by which a stream was reset; undefined while it was not. */
  resetCode (stream: number): number | undefined {
    return this.of(FRAMES.reset, stream)[0]?.payload.readUInt32BE()
  }

  /** The codes of the farewells so far. */
  get goAways (): number[] {
    return this.of(FRAMES.goaway).map(({ payload }) => payload.readUInt32BE(4))
  }

  send (...frames: Buffer[]): this {
    this.client.write(Buffer.concat(frames))
    return this
  }

  get (stream: number, path: string): this {
    return this.send(frame(FRAMES.headers, FLAGS.endStream | FLAGS.endHeaders, stream, getBlock(path)))
  }

  async until (condition: () => unknown): Promise<void> {
    await until(() => condition() || this.client.isEnded, String(condition))
    if (!condition()) throw new Error(`the server ended before ${String(condition)}; frames: ${JSON.stringify(this.frames)}`)
  }

  #take (): boolean {
    const bytes = this.#rest
    const end = bytes.length < HEAD_SIZE ? Infinity : HEAD_SIZE + bytes.readUIntBE(0, 3)
    if (end > bytes.length) return false
    this.frames.push({ type: bytes[3] as number, flags: bytes[4] as number, stream: bytes.readUInt32BE(5), payload: bytes.subarray(HEAD_SIZE, end) })
    this.#rest = bytes.subarray(end)
    return true
  }
}

/** @param initialWindow of each of its streams; that of the session is as large as can be */
export async function connectHttp2 (t: Test, port: number, initialWindow: number = INITIAL_WINDOW, options: SocketOptions = {}): Promise<RawHttp2> {
  const raw = new RawHttp2(await connect(t, port, options))
  raw.send(Buffer.from(PREFACE), settings([SETTINGS.initialWindow, initialWindow]), number(FRAMES.window, 0, WIDE_OPEN - INITIAL_WINDOW))
  await raw.until(() => raw.of(FRAMES.settings).length === 2)
  return raw
}
