/** What an app, or an attacker through it, may try to send: shared by the tests that send it through a real parser. */
import fc from 'fast-check'

/** One call of a sender. */
export type Send =
  | { kind: 'event', data: unknown, options: { event?: unknown, id?: unknown, retry?: unknown } }
  | { kind: 'comment', text: string }

/** What a client shall see of an event. */
export interface Seen { event: string, id: string, data: string }

// Pieces that break naive encoders: line ends, the grammar's own words, characters that some take for line ends or drop.
const PIECES = [
  '\n', '\r', '\r\n', '\n\n', '\r\n\r\n', '\n\r', '\0', '\ufeff', '\u2028', '\u2029', '\u0085', '\v', '\f', '\t', ' ', ':', ': ',
  'data', 'data:', 'data: ', 'event: forged', 'id: 1', 'id', 'retry: 1', ':comment', 'ü', '🎨', '\ufffd', '\u{10ffff}'
]
const HALVES = ['\ud83c', '\udfa8', '\ud83c\udfa8']

const text = fc.oneof(
  { weight: 5, arbitrary: fc.string({ unit: fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 3 })), maxLength: 12 }) },
  { weight: 3, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme' }) },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom('x', '\n', ...HALVES), maxLength: 6 }) },
  { weight: 1, arbitrary: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 }).map((units) => String.fromCharCode(...units)) }
)

const cycle: { self?: unknown } = {}
cycle.self = cycle
const noJson = fc.constantFrom<unknown>(
  undefined, () => 'x', Symbol('s'), 1n, { deep: [1n] }, cycle, { toJSON: () => undefined }, { toJSON () { throw new Error('no') } })

const data = fc.oneof({ weight: 7, arbitrary: text }, { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' }) }, { weight: 1, arbitrary: noJson })

const tame = fc.string({ unit: 'grapheme', maxLength: 8 })
const wrongType = fc.constantFrom<unknown>(null, true, {}, [], 1n, Symbol('s'))
const type = fc.oneof({ weight: 9, arbitrary: tame }, { weight: 2, arbitrary: text }, { weight: 1, arbitrary: fc.oneof(wrongType, fc.integer()) })
const id = fc.oneof({ weight: 9, arbitrary: tame }, { weight: 2, arbitrary: text }, { weight: 2, arbitrary: fc.double() }, { weight: 1, arbitrary: wrongType })
const retry = fc.oneof({ weight: 9, arbitrary: fc.nat() }, { weight: 1, arbitrary: fc.double() }, { weight: 1, arbitrary: fc.oneof(wrongType, tame) })

const event: fc.Arbitrary<Send> = fc.record({
  kind: fc.constant('event' as const),
  data,
  options: fc.record({ event: type, id, retry }, { requiredKeys: [] })
})
const comment: fc.Arbitrary<Send> = fc.record({ kind: fc.constant('comment' as const), text })

export const sends: fc.Arbitrary<Send[]> = fc.array(
  fc.oneof({ weight: 6, arbitrary: event }, { weight: 1, arbitrary: comment }), { minLength: 1, maxLength: 6 })

/** Whether the rules allow this send: said without a look at the encoder. */
export function isAllowed (send: Send): boolean {
  if (send.kind === 'comment') return isData(send.text)
  const { event, id, retry } = send.options
  return isData(send.data) &&
    (event === undefined || isField(event)) &&
    (id === undefined || isField(id) || (typeof id === 'number' && Math.abs(id) < Infinity)) &&
    (retry === undefined || (Number.isSafeInteger(retry) && Number(retry) >= 0))
}

function isData (data: unknown): boolean {
  if (typeof data === 'string') return utf8(data) === data
  try {
    return typeof JSON.stringify(data) === 'string'
  } catch {
    return false
  }
}

function isField (value: unknown): boolean {
  return typeof value === 'string' && utf8(value) === value && !['\r', '\n', '\0'].some((bad) => value.includes(bad))
}

/** What is left of a text after a way through UTF-8. */
function utf8 (text: string): string {
  return Buffer.from(text).toString()
}

/**
 * What a client shall see of these sends. [spec] the id stays until there is another, a type that is empty is `message`,
 * line ends come out as LF.
 */
export function expected (allowed: Send[]): { seen: Seen[], retries: number[], lastId: string } {
  const seen: Seen[] = []
  const retries: number[] = []
  let lastId = ''
  for (const send of allowed) {
    if (send.kind === 'comment') continue
    const { data, options: { event, id, retry } } = send
    if (id !== undefined) lastId = String(id)
    if (retry !== undefined) retries.push(Number(retry) + 0)   // -0 is 0
    seen.push({ event: event === undefined || event === '' ? 'message' : String(event), id: lastId, data: arrives(data) })
  }
  return { seen, retries, lastId }
}

/** How data arrives. */
export function arrives (data: unknown): string {
  return typeof data === 'string' ? data.replaceAll('\r\n', '\n').replaceAll('\r', '\n') : JSON.stringify(data)
}
