/** Records as a hostile or careless publisher writes them to an engine, and what clients shall see of them. */
import fc from 'fast-check'
import { producedTopic } from '../../lib/topics/produced.ts'

/** What a client sees of one: of an event stream, and of lines of JSON. */
export interface Shown { event: string, text: string, value: unknown }

export const TOPICS = ['a', 'b']

const NAMES = ['topic', 'data', 'json', 'event', 'retry', 'except', 'key', 'begins', 'ends', 'producer', 'epoch', 'id', 'offset', '__proto__', 'constructor', 'toString', 'Topic', '']
const TEXTS = [
  '', '1', 'a', 'b', 'true', 'server', 'error', 'shutdown', 'null', '\n', '\r', '\0', 'x\ny', 'x\rdata: forged\r\r', 'id: 7\n\nevent: forged\ndata: forged\n\n', 'gap', '\u2028', '\u0085', '\ufeff{}',
  '[1,\n{"event":"forged"}\n]', '[1,\r{"event":"forged"}\r]', '{"event":"forged","data":1}', '{"a":', '"\\ud800"', '-0', '1e999', '007', ' 5', '0x10', '9007199254740993', '🎨', 'x'.repeat(257), 'x'.repeat(20_000),
  '\x01', '\x01["GET","/",{}]', producedTopic('a', 'b')
]

const loose = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 1, arbitrary: fc.json() })
const topic = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...TOPICS) }, { weight: 2, arbitrary: loose })
const raw = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))

/** Names and values in turn, as XADD takes them. */
export const entries: fc.Arbitrary<Buffer[]> = fc.tuple(
  fc.option(topic, { freq: 12 }), fc.option(loose, { freq: 12 }), fc.array(fc.tuple(fc.constantFrom(...NAMES), loose), { maxLength: 3 }), fc.option(fc.constant('1')), fc.array(fc.tuple(raw, raw), { maxLength: 1 })
).map(([topic, data, fields, json, bytes]) => {
  const pairs: Array<[string | Buffer, string | Buffer]> = [...fields, ...bytes]
  if (topic !== null) pairs.push(['topic', topic])
  if (data !== null) pairs.push(['data', data])
  if (json !== null) pairs.push(['json', json])
  return (pairs.length === 0 ? [['x', 'y'] as const] : pairs).flat().map((part) => Buffer.from(part as string))
})

/** Messages, as they are published to a subject. */
export const messages: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 1, arbitrary: raw },
  { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text)) },
  {
    weight: 12,
    arbitrary: fc.tuple(
      fc.record({ json: fc.constantFrom(true, false), topic: fc.oneof({ weight: 12, arbitrary: topic }, { weight: 1, arbitrary: fc.jsonValue() }), data: fc.oneof(loose, fc.jsonValue()) }),
      fc.array(fc.tuple(fc.constantFrom('json', ...NAMES), fc.oneof({ weight: 3, arbitrary: loose }, { weight: 2, arbitrary: fc.constantFrom(true, 1, 0, 5, -1, 1.5, null, [], {}) })), { maxLength: 3 })
    ).map(([record, fields]) => Buffer.from(JSON.stringify({ ...Object.fromEntries(fields), ...record })))
  })

/** What is seen of an entry of Redis; null: nothing. Said without a look at what decodes it. */
export function shownOfEntry (parts: readonly Buffer[]): Shown | null {
  const fields = new Map<string, string>()
  for (let i = 0; i < parts.length; i += 2) fields.set(String(parts[i]), String(parts[i + 1]))
  const data = fields.get('data')
  const retry = fields.get('retry')
  if (data === undefined || !TOPICS.includes(fields.get('topic') ?? '') || (retry !== undefined && !isDigits(retry))) return null
  return shown(data, fields.get('json') === '1', fields.get('event'))
}

/** What is seen of a message of NATS. */
export function shownOfMessage (bytes: Buffer): Shown | null {
  let found: unknown
  try {
    found = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return null
  }
  if (typeof found !== 'object' || found === null) return null
  const { topic, data, json, event, retry, except, key } = found as Record<string, unknown>
  const isWrong = [event, except, key].some((field) => field !== undefined && typeof field !== 'string') ||
    (retry !== undefined && !(Number.isSafeInteger(retry) && Number(retry) >= 0))
  if (data === undefined || isWrong || typeof topic !== 'string' || !TOPICS.includes(topic)) return null
  return typeof data === 'string' ? shown(data, json === true, event as string) : shown(JSON.stringify(data), true, event as string)
}

function isDigits (text: string): boolean {
  return text !== '' && [...text].every((character) => '0123456789'.includes(character)) && Number.isSafeInteger(Number(text))
}

function shown (text: string, isJson: boolean, event: string | undefined): Shown | null {
  if (Buffer.from(text).toString() !== text || (event !== undefined && (/[\r\n\0]/.test(event) || Buffer.from(event).toString() !== event))) return null
  let value: unknown = text
  try {
    if (isJson) value = JSON.parse(text)
  } catch {
    return null
  }
  return { event: event === undefined || event === '' ? 'message' : event, text: text.replaceAll('\r\n', '\n').replaceAll('\r', '\n'), value }
}
