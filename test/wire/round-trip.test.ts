/**
 * Whatever is sent comes out of an independent parser as it went in, or the sender was told why not.
 *
 * PASTELLI_FUZZ_CASES: how many sequences of sends are tried, default 100,000. PASTELLI_FUZZ_SEED: which ones.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { type EventSourceMessage, createParser } from 'eventsource-parser'
import fc from 'fast-check'
import t from 'tap'
import { encodeComment, encodeEvent, type EventOptions } from '../../lib/wire/event-stream.ts'
import { arrives, expected, isAllowed, type Seen, type Send, sends } from './arbitraries.ts'

const CASES = Number(process.env.PASTELLI_FUZZ_CASES ?? 100_000)
const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

// Ten times what a case took in 2026-11. Run by hand for more than a million: tap has a limit of its own.
t.setTimeout(Math.max(30_000, CASES))

/** What was allowed and the bytes of it. */
interface Sent { allowed: Send[], bytes: Buffer }

function sendAll (sequence: Send[]): Sent {
  const allowed: Send[] = []
  let stream = ''
  for (const send of sequence) {
    const block = encode(send)
    strictEqual(block !== null, isAllowed(send), 'refused if, and only if, the rules say so')
    if (block === null) continue
    allowed.push(send)
    stream += block
  }
  return { allowed, bytes: Buffer.from(stream) }
}

/** The block; null if it was refused. */
function encode (send: Send): string | null {
  try {
    return send.kind === 'comment' ? encodeComment(send.text) : encodeEvent(send.data, send.options as EventOptions)
  } catch (error) {
    ok(String((error as { code?: unknown }).code).startsWith('PST_ERR_'), String(error))
    return null
  }
}

/** What the parser makes of the bytes, cut at these places. */
function parse (bytes: Buffer, cuts: number[]): { seen: Seen[], retries: number[], comments: string[] } {
  const events: EventSourceMessage[] = []
  const retries: number[] = []
  const comments: string[] = []
  const parser = createParser({
    onEvent: (event) => { events.push(event) },
    onRetry: (retry) => { retries.push(retry) },
    onComment: (comment) => { comments.push(comment) },
    onError: (error) => { throw error }
  })
  const decoder = new TextDecoder()
  for (const piece of pieces(bytes, cuts)) parser.feed(decoder.decode(piece, { stream: true }))
  let lastId = ''
  const seen = events.map(({ event = 'message', id = lastId, data }) => {
    lastId = id
    return { event, id, data }
  })
  return { seen, retries, comments }
}

function * pieces (bytes: Buffer, cuts: number[]): Iterable<Buffer> {
  let start = 0
  for (const cut of cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b)) {
    yield bytes.subarray(start, cut)
    start = cut
  }
  yield bytes.subarray(start)
}

t.test('what comes out equals what went in, or the sender got a PST_ERR', async (t) => {
  t.comment(`PASTELLI_FUZZ_CASES=${CASES} PASTELLI_FUZZ_SEED=${SEED}`)
  let events = 0
  let refused = 0
  fc.assert(fc.property(sends, fc.array(fc.nat(), { maxLength: 6 }), (sequence, cuts) => {
    const { allowed, bytes } = sendAll(sequence)
    const { seen, retries, comments } = parse(bytes, cuts)
    const wanted = expected(allowed)
    deepStrictEqual(seen, wanted.seen)
    deepStrictEqual(retries, wanted.retries)
    deepStrictEqual(comments, allowed.flatMap((send) => send.kind === 'comment' ? arrives(send.text).split('\n') : []))
    events += seen.length
    refused += sequence.length - allowed.length
  }), { numRuns: CASES, seed: SEED })
  t.comment(`${events} events came through, ${refused} sends were refused`)
  t.ok(events > CASES, 'most sends were events that came through')
  t.ok(refused > CASES / 10, 'enough were refused')
})

t.test('JSON comes out as the value that went in', async (t) => {
  fc.assert(fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
    fc.pre(typeof value !== 'string')
    const { seen } = parse(Buffer.from(encodeEvent(value)), [])
    deepStrictEqual(seen.map(({ data }) => JSON.parse(data)), [JSON.parse(JSON.stringify(value))])   // -0 comes out as 0
  }), { numRuns: Math.ceil(CASES / 20), seed: SEED })
  t.pass(`with seed ${SEED}`)
})
