/**
 * The WebSocket wire, as far as a server sends it: messages as whole frames, not masked. A frame is a string with one byte
 * in each character, to be written as latin1: so frames may be gathered and shared like the text of any other format, and
 * many of them leave in one write.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 */
import { PST_ERR_DATA } from '../errors.ts'
import { checkFields, encodeData, type EventOptions } from './event-stream.ts'
import type { Format, FormatEvent } from './format.ts'

// FIN, and the opcode.
const TEXT = '\x81'
const BINARY = '\x82'

// Larger bytes stay bytes: as a string they would be copied twice more.
const STRING_BYTES = 2 * 1024

/** An event as a message of the app's own: a string becomes a text message, bytes a binary one. */
export type EncodeMessage = (event: FormatEvent) => string | Uint8Array

/** A text message. */
export function frameText (text: string): string {
  const size = Buffer.byteLength(text)
  return head(TEXT, size) + (size === text.length ? text : Buffer.from(text).toString('latin1'))
}

/** What the app sends as it is: a string is a text message, bytes are a binary one. */
export function frameMessage (message: string | Uint8Array): string | Uint8Array {
  if (typeof message === 'string') return frameText(message)
  if (message.byteLength <= STRING_BYTES) return frameBinary(message)
  return Buffer.concat([Buffer.from(head(BINARY, message.byteLength), 'latin1'), message])
}

/** Events as JSON text: `{ id, event, retry, data }`, with what each has. */
export const webSocket: Format = {
  type: 'websocket',
  aliases: [],
  contentType: 'websocket',
  encoding: 'latin1',
  encode: (data, fields) => {
    if (fields != null) checkFields(fields)
    const text = encodeData(data)
    return frameEvent(typeof data === 'string' ? JSON.stringify(text) : text, fields ?? {})
  },
  encodeStored: (event) => frameEvent(event.json ? event.data : JSON.stringify(event.data), event),
  encodeChunk: frameMessage,
  hasTypes: true,
  opening: '',
  endsEvent: () => true,
  encodeRetry: (ms) => frameText(`{"retry":${ms}}`),
  encodeId: (id) => frameText(`{"id":${JSON.stringify(id)}}`),
  encodeHeartbeat: (event, id) => event !== null ? frameEvent('""', { event, id: id ?? undefined }) : id === null ? '' : frameText(`{"id":${JSON.stringify(id)}}`)
}

// One for all routes with the same encoder, so that their subscribers share what is built for it.
const formats = new WeakMap<EncodeMessage, Format>()

/** Events in the app's own form. */
export function messagesOf (encode: EncodeMessage): Format {
  let format = formats.get(encode)
  if (format === undefined) formats.set(encode, format = makeFormat(encode))
  return format
}

function makeFormat (encode: EncodeMessage): Format {
  const encodeParts = (data: unknown, { event, id, retry }: EventOptions) => {
    const message: unknown = encode({ data, event, id: id === undefined ? undefined : String(id), retry })
    if (typeof message === 'string') return frameText(message.toWellFormed())
    if (message instanceof Uint8Array) return frameBinary(message)
    throw new PST_ERR_DATA(`the encoder of a WebSocket gave a value of the type ${message === null ? 'null' : typeof message}`)
  }
  return {
    type: 'websocket',
    aliases: [],
    contentType: 'websocket',
    encoding: 'latin1',
    encode: (data, fields) => {
      encodeData(data)   // what could not be replayed is refused
      if (fields != null) checkFields(fields)
      return encodeParts(data, fields ?? {})
    },
    encodeStored: ({ data, json, event, id, retry }) => encodeParts(json ? JSON.parse(data) : data, { event, id, retry }),
    encodeChunk: frameMessage,
    hasTypes: true,
    opening: '',
    endsEvent: () => true,
    encodeHeartbeat: (event, id) => event === null ? '' : encodeParts('', { event, id: id ?? undefined })
  }
}

/** @param json the data */
function frameEvent (json: string, { event, id, retry }: EventOptions): string {
  let fields = ''
  if (id !== undefined) fields += `"id":${JSON.stringify(String(id))},`
  if (event !== undefined) fields += `"event":${JSON.stringify(event)},`
  if (retry !== undefined) fields += `"retry":${retry},`
  return frameText(`{${fields}"data":${json}}`)
}

function frameBinary (bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes
  return head(BINARY, byteLength) + Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
}

// [RFC 6455, 5.2] up to 125 the length is one byte; 126 and 127 say that it follows in 2 or in 8.
function head (opcode: string, size: number): string {
  if (size < 126) return opcode + String.fromCharCode(size)
  if (size < 2 ** 16) return opcode + '\x7e' + String.fromCharCode(size >> 8, size & 0xff)
  return `${opcode}\x7f\0\0${bytesOf(Math.floor(size / 2 ** 32), 2)}${bytesOf(size, 4)}`
}

function bytesOf (value: number, count: number): string {
  let bytes = ''
  for (let byte = count - 1; byte >= 0; byte--) bytes += String.fromCharCode((value >>> (8 * byte)) & 0xff)
  return bytes
}
