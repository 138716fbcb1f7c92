/** A WebSocket client by hand: sends what no client would, and reads every frame that comes. */
import type { Test } from 'tap'
import { connect, type RawClient, type SocketOptions } from './socket.ts'
import { until } from './until.ts'

export interface RawFrame {
  fin: boolean
  opcode: number
  payload: Buffer
}

export interface FrameOptions {
  fin?: boolean
  /** The three reserved bits, as they stand in the first byte. */
  reserved?: number
  mask?: boolean
}

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

const KEY = Buffer.from([0x12, 0x34, 0x56, 0x78])

/** A client's frame. */
export function frame (opcode: number, payload: string | Buffer, { fin = true, reserved = 0, mask = true }: FrameOptions = {}): Buffer {
  const bytes = Buffer.from(payload as string)
  const size = bytes.length
  const length = size < 126 ? [size] : size < 2 ** 16 ? [126, size >> 8, size & 255] : [127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255]
  length[0] = (length[0] as number) | (mask ? 0x80 : 0)
  const head = Buffer.from([(fin ? 0x80 : 0) | reserved | opcode, ...length])
  if (!mask) return Buffer.concat([head, bytes])
  return Buffer.concat([head, KEY, bytes.map((byte, i) => byte ^ (KEY[i % 4] as number))])
}

/** A client's close frame. */
export function closeFrame (code: number, reason: string | Buffer = ''): Buffer {
  return frame(OPCODES.close, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]))
}

/** The frames of a server, as far as they are complete. */
export function parseFrames (bytes: Buffer): RawFrame[] {
  const frames: RawFrame[] = []
  let at = 0
  while (bytes.length >= at + 2) {
    const first = bytes[at] as number
    let size = bytes[at + 1] as number
    if (size > 127) throw new Error('a server does not mask its frames')
    let start = at + 2
    if (size === 126) size = bytes.readUInt16BE(at + 2)
    else if (size === 127) size = Number(bytes.readBigUInt64BE(at + 2))
    if (size > 125) start += size < 2 ** 16 ? 2 : 8
    if (bytes.length < start + size) break
    if ((first & 0x70) !== 0) throw new Error('a reserved bit is set')
    frames.push({ fin: first >= 0x80, opcode: first & 15, payload: bytes.subarray(start, start + size) })
    at = start + size
  }
  return frames
}

export class RawWebSocket {
  readonly client: RawClient

  constructor (client: RawClient) {
    this.client = client
  }

  get frames (): RawFrame[] {
    return parseFrames(this.client.response.body)
  }

  /** Text messages so far. */
  get texts (): string[] {
    return this.frames.filter(({ opcode }) => opcode === OPCODES.text).map(({ payload }) => payload.toString())
  }

  /** The code of the close frame that came; undefined while there is none, 1005 if it has none. */
  get code (): number | undefined {
    const payload = this.frames.find(({ opcode }) => opcode === OPCODES.close)?.payload
    return payload === undefined ? undefined : payload.length === 0 ? 1005 : payload.readUInt16BE(0)
  }

  send (...frames: Buffer[]): this {
    this.client.write(Buffer.concat(frames))
    return this
  }

  text (text: string): this {
    return this.send(frame(OPCODES.text, text))
  }

  async until (condition: () => unknown): Promise<void> {
    await until(() => condition() || this.client.isEnded, String(condition))
    if (!condition()) throw new Error(`the server ended before ${String(condition)}; frames: ${JSON.stringify(this.frames)}`)
  }
}

/** Connects and is upgraded. */
export async function upgrade (t: Test, port: number, path = '/', headers: Record<string, string> = {}, options: SocketOptions = {}): Promise<RawWebSocket> {
  const client = await connect(t, port, options)
  client.get(path, { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers })
  await client.head()
  return new RawWebSocket(client)
}
