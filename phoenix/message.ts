/** Messages of Phoenix channels and their wire, the V2 serializer: an array of JSON, or, with a payload of bytes, a binary message. */
import { PST_ERR_DATA, PST_ERR_MESSAGE } from '../lib/errors.ts'
import { encodeData } from '../lib/wire/event-stream.ts'

/** The client's numbers of its messages, as text. */
export type Ref = string | null

export interface Message {
  /** The `ref` of the join that it belongs to. */
  joinRef: Ref
  ref: Ref
  topic: string
  event: string
  /** JSON, or bytes. */
  payload: unknown
  /** Of a reply, whose payload is the response. */
  status?: Status
}

export type Status = 'ok' | 'error'

// What the first byte of a binary message says.
const PUSH = 0
const REPLY = 1
const BROADCAST = 2

const FIELDS = 5
// The kind, and the lengths of four texts.
const HEAD = 5
const MAX_FIELD = 255
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * A message from a client.
 * @throws PST_ERR_MESSAGE
 */
export function decode (data: string | Uint8Array): Message {
  return typeof data === 'string' ? decodeText(data) : decodeBinary(data)
}

/**
 * A message to a client: text, or bytes where its payload is bytes.
 * @throws PST_ERR_DATA
 */
export function encode (message: Message): string | Uint8Array {
  return message.payload instanceof Uint8Array ? encodeBinary(message, message.payload) : encodeText(message)
}

/**
 * A message as text, whatever its payload is: bytes become `{ binary }`, in base64.
 * @throws PST_ERR_DATA
 */
export function encodeText ({ joinRef, ref, topic, event, payload, status }: Message): string {
  const json = payload instanceof Uint8Array ? `{"binary":"${Buffer.from(payload).toString('base64')}"}` : encodeJson(payload)
  const head = [joinRef, ref, topic, event].map((field) => JSON.stringify(field)).join()
  return `[${head},${status === undefined ? json : `{"status":"${status}","response":${json}}`}]`
}

/** The bytes of a broadcast whose text `encodeText` made of bytes. */
export function restoreBinary (text: string): Uint8Array {
  const [joinRef, ref, topic, event, { binary }] = JSON.parse(text) as [Ref, Ref, string, string, { binary: string }]
  return encodeBinary({ joinRef, ref, topic, event, payload: null }, Buffer.from(binary, 'base64'))
}

function encodeJson (payload: unknown): string {
  return typeof payload === 'string' ? JSON.stringify(payload) : encodeData(payload)
}

function encodeBinary ({ joinRef, ref, topic, event, status }: Message, payload: Uint8Array): Uint8Array {
  const [kind, fields] = status !== undefined
    ? [REPLY, [joinRef, ref, topic, status]]
    : joinRef === null ? [BROADCAST, [topic, event]] : [PUSH, [joinRef, topic, event]]
  const texts = fields.map((field) => Buffer.from(field ?? ''))
  if (texts.some(({ length }) => length > MAX_FIELD)) throw new PST_ERR_DATA(`a binary message has no room for a topic or an event of more than ${MAX_FIELD} bytes`)
  return Buffer.concat([Buffer.of(kind, ...texts.map(({ length }) => length)), ...texts, payload])
}

function decodeText (data: string): Message {
  let fields: unknown
  try {
    fields = JSON.parse(data)
  } catch {
    throw new PST_ERR_MESSAGE('it is no JSON')
  }
  if (!Array.isArray(fields) || fields.length !== FIELDS) throw new PST_ERR_MESSAGE('it is no array of join_ref, ref, topic, event and payload')
  const [joinRef, ref, topic, event, payload] = fields as unknown[]
  return check({ joinRef, ref, topic, event, payload })
}

// Clients send pushes only.
function decodeBinary (data: Uint8Array): Message {
  if (data.length < HEAD || data[0] !== PUSH) throw new PST_ERR_MESSAGE('it is no binary push')
  let at = HEAD
  const [joinRef, ref, topic, event] = Array.from(data.subarray(1, HEAD), (length) => {
    at += length
    return text(data.subarray(at - length, at))
  })
  if (at > data.length) throw new PST_ERR_MESSAGE('it is shorter than it says')
  return check({ joinRef: joinRef === '' ? null : joinRef, ref: ref === '' ? null : ref, topic, event, payload: data.subarray(at) })
}

function text (bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new PST_ERR_MESSAGE('it is not UTF-8')
  }
}

function check ({ joinRef, ref, topic, event, payload }: { [Field in keyof Message]: unknown }): Message {
  if (!isRef(joinRef)) throw new PST_ERR_MESSAGE(`its join_ref is no text of up to ${MAX_FIELD} bytes`)
  if (!isRef(ref)) throw new PST_ERR_MESSAGE(`its ref is no text of up to ${MAX_FIELD} bytes`)
  if (typeof topic !== 'string') throw new PST_ERR_MESSAGE('its topic is no text')
  if (typeof event !== 'string') throw new PST_ERR_MESSAGE('its event is no text')
  return { joinRef, ref, topic, event, payload }
}

// It comes back with every reply, which may have to be binary.
function isRef (value: unknown): value is Ref {
  return value === null || (typeof value === 'string' && Buffer.byteLength(value) <= MAX_FIELD)
}
