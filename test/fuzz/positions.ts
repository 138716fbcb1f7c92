/** Last-Event-IDs as HTTP lets them through, in the header, the query or both: few of them are positions. */
import fc from 'fast-check'

/** Where they are sent to. */
export interface Log { epoch: string, head: number }

/** A request that asks for a stream. */
export interface Asked {
  /** The values of `Last-Event-ID`, one byte in each character. */
  headers: string[]
  /** With the question mark, unless it is empty. */
  query: string
  accept: string
}

export const ACCEPTS = ['text/event-stream', 'application/x-ndjson'] as const

// [RFC 9110, 5.5] what a field's value may have.
const FIELD_BYTES = ['\t', ...bytes(0x20, 0x7e), ...bytes(0x80, 0xff)]
const URL_BYTES = bytes(0x21, 0x7e).filter((byte) => byte !== '#')
const ESCAPES = ['%', '%%', '%2', '%zz', '%00', '%0a', '%0d%0a', '%C3%A9', '%c3%28', '%ff', '%e2%82', '%F0%9F%8E%A8', '%ed%a0%80', '%3A', '%20', '%25', '%u0041']
const SYNTAX = ['&', '=', '&&', '==', '&lastEventId=', '&lastEventId', '[]', '[0]', '[a]=', '[__proto__]=', ';', '?', '/', '+', ',']
// Digits to some.
const DIGITS = ['\u0661', '\uff11', '\u00b2', '\u2460', '\ud835\udfcf'].map((digit) => Buffer.from(digit).toString('latin1'))
// Of a request's head Node takes 16 KiB.
const MOST = 15_800

const sizes = fc.oneof({ weight: 5, arbitrary: fc.nat(12) }, { weight: 3, arbitrary: fc.integer({ min: 100, max: 200 }) }, { weight: 1, arbitrary: fc.integer({ min: 1_000, max: MOST }) })

/** @param log what it is asked for, so that a few of them are right */
export function asked (log: Log): fc.Arbitrary<Asked> {
  const { epoch, head } = log
  const offsets = fc.oneof(
    fc.nat(head + 2).map(String),
    fc.constantFrom('', '-1', '-0', '+1', '00', '01', '1.0', '1e3', '0x1', '1_0', 'NaN', 'Infinity', '9007199254740991', '9007199254740992', '1'.repeat(124), '1'.repeat(10_000), ...DIGITS),
    fc.double().map(String), fc.bigInt().map(String))
  const epochs = fc.oneof(
    { weight: 5, arbitrary: fc.constant(epoch) },
    { weight: 4, arbitrary: fc.constantFrom('', 'other', epoch.toUpperCase(), ` ${epoch}`, `${epoch}\t`, `${epoch}:${epoch}`, '__proto__', 'e'.repeat(64), 'e'.repeat(65), 'e'.repeat(127), '\xe9', '../..') })
  const near = fc.tuple(epochs, fc.constantFrom(':', ':', ':', '::', '', ' : ', ';', '%3A', '\xef\xbc\x9a'), offsets).map((parts) => parts.join(''))
  const values = fc.oneof(
    { weight: 4, arbitrary: near },
    { weight: 2, arbitrary: anyOf(FIELD_BYTES) },
    { weight: 1, arbitrary: fc.tuple(near, fc.constantFrom(', ', ',', ' ', ';'), near).map((parts) => parts.join('')) })
  const headers = fc.oneof(
    { weight: 6, arbitrary: values.map((value) => [value]) },
    { weight: 1, arbitrary: fc.array(values, { minLength: 2, maxLength: 4 }) },
    { weight: 3, arbitrary: fc.constant<string[]>([]) })
  const queryValue = fc.oneof(
    near.map(toUrl), near.map((text) => encodeURIComponent(text)), anyOf(URL_BYTES),
    fc.array(fc.oneof(fc.constantFrom(...ESCAPES, ...SYNTAX), near.map(toUrl)), { maxLength: 5 }).map((parts) => parts.join('')))
  const name = fc.oneof({ weight: 8, arbitrary: fc.constant('lastEventId') }, { weight: 2, arbitrary: fc.constantFrom('lastEventId[]', 'last%45ventId', 'lasteventid', '', '__proto__', 'lastEventId[toString]') })
  const query = fc.oneof(
    { weight: 1, arbitrary: fc.constant('') },
    { weight: 2, arbitrary: fc.array(fc.tuple(name, fc.constantFrom('=', '=', '=', ''), queryValue).map((parts) => parts.join('')), { minLength: 1, maxLength: 3 }).map((pairs) => `?${pairs.join('&')}`) })
  return fc.record({ headers, query, accept: fc.constantFrom(ACCEPTS[0], ACCEPTS[0], ACCEPTS[0], ACCEPTS[1]) }).map(fit)
}

/** What a server makes of these headers; undefined where there are none. */
export function joined (headers: readonly string[]): string | undefined {
  return headers.length === 0 ? undefined : headers.map((value) => value.replace(/^[ \t]+|[ \t]+$/g, '')).join(', ')
}

/** The request as it goes over the wire. */
export function requestOf ({ headers, query, accept }: Asked): Buffer {
  const lines = headers.map((value) => `Last-Event-ID: ${value}\r\n`).join('')
  return Buffer.from(`GET /${query} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n${lines}\r\n`, 'latin1')
}

/** What a client shall be told that says it was there; null: no gap, it is given what follows. Said without a look at the parser. */
export function gapOf (lastEventId: string | null, { epoch, head }: Log): { reason: string, from: string | null } | null {
  if (lastEventId === null) return null
  const parts = lastEventId.split(':')
  const [name = '', digits = ''] = parts
  const isName = name !== '' && name.length <= 64 && [...name].every((character) => 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-'.includes(character))
  const isOffset = String(Number(digits)) === digits && Number.isSafeInteger(Number(digits)) && Number(digits) >= 0
  if (parts.length !== 2 || !isName || !isOffset) return { reason: 'malformed', from: null }
  return name === epoch && Number(digits) <= head ? null : { reason: 'foreign', from: lastEventId }
}

function anyOf (units: readonly string[]): fc.Arbitrary<string> {
  return sizes.chain((size) => fc.string({ unit: fc.constantFrom(...units), minLength: Math.min(size, 40), maxLength: 40 }).map((text) => text.repeat(Math.ceil(size / 40)).slice(0, size)))
}

// What may not stand in an address as it is, escaped.
function toUrl (text: string): string {
  return text.replace(/[^\x21-\x7e]|#/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function fit ({ headers, query, accept }: Asked): Asked {
  let rest = MOST
  const take = (text: string) => {
    const taken = text.slice(0, Math.max(0, rest))
    rest -= taken.length + 24
    return taken
  }
  return { headers: headers.map(take), query: take(query), accept }
}

function bytes (from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, n) => String.fromCharCode(from + n))
}
