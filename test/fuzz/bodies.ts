/** What a hostile or broken server sends as an event stream, and what a client makes of it by the letter of the specification. */
import fc from 'fast-check'

/** One event, as a client gets it. */
export interface Got { event: string, data: string, id: string | undefined }

const LINES = [
  'data', 'data:', 'data: x', 'data:  two', 'data:{"a":1}', 'data\n', 'Data: x', ' data: x', 'data : x', 'event: e', 'event:', 'event: gap', 'event: __proto__', 'event: constructor', 'id: 1', 'id', 'id:', 'id: a\0b',
  'id: \x01', 'id: é', 'id: 🎨', `id: ${'x'.repeat(300)}`, 'retry: 1', 'retry: 0', 'retry: -1', 'retry: 1e3', 'retry: 9007199254740993', `retry: ${'9'.repeat(400)}`, 'retry:', 'retry: \u0661', ':', ': comment', 'unknown: x', '\ufeff', '\ufeffdata: x', '\0', '\x1b[2J', '\u2028', 'x'.repeat(600)
]
const ENDS = ['\n', '\n', '\r', '\r\n', '\n\n', '\r\r', '\r\n\r\n', '\n\r', '']

const text = fc.array(fc.tuple(fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...LINES) }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) }), fc.constantFrom(...ENDS)), { maxLength: 14 }).map((parts) => Buffer.from(parts.flat().join('')))
const bytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))

// Whatever came before, a parser that waits for the second half of a CRLF has it then, and nothing is left in its middle.
const END = Buffer.from('\n\n')

/** A body, in pieces. */
export const bodies: fc.Arbitrary<Buffer[]> = fc.tuple(fc.oneof({ weight: 5, arbitrary: text }, { weight: 1, arbitrary: bytes }, { weight: 1, arbitrary: fc.tuple(text, bytes, text).map((parts) => Buffer.concat(parts)) }), fc.array(fc.nat(), { maxLength: 8 }))
  .map(([body, cuts]) => pieces(Buffer.concat([body, END]), cuts))

/** Answers the bytes cut at these places; no piece is empty. */
export function pieces (bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((one, other) => one - other)
  return places.map((place, i) => bytes.subarray(places[i - 1] ?? 0, place)).filter(({ length }) => length !== 0)
}

/** [spec] https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
export function interpret (body: Buffer): { events: Got[], lastEventId: string | undefined } {
  const events: Got[] = []
  let lastEventId: string | undefined
  let [id, event, data]: [string | undefined, string, string[]] = [undefined, '', []]
  for (const line of new TextDecoder().decode(body).split(/\r\n|\n|\r/).slice(0, -1)) {
    if (line === '') {
      lastEventId = id ?? lastEventId
      if (data.length !== 0) events.push({ event: event === '' ? 'message' : event, data: data.join('\n'), id })
      ;[id, event, data] = [undefined, '', []]
      continue
    }
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') event = value
    if (name === 'data') data.push(value)
    if (name === 'id' && !value.includes('\0')) id = value
  }
  return { events, lastEventId }
}
