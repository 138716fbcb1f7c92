/** A frame: text for many connections, whose bytes are made once, and are on every wire what they would be for one. */
import { strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { frameText } from '../../lib/wire/chunked.ts'
import { Frame } from '../../lib/wire/frame.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

// Up to this many bytes a chunk is a string.
const STRING_BYTES = 2048

const ASCII = 'id: e:1\ndata: a\n\n'
const TEXTS = [
  'a', ASCII, 'a\0\x7f', '0\r\n\r\n', 'é', 'ü\u00ff\u0080', 'grüezi 🎨', '\u{10ffff}\ufeff\u2028', 'x'.repeat(STRING_BYTES), 'ü'.repeat(STRING_BYTES / 2), '🎨'.repeat(STRING_BYTES / 4),
  'x'.repeat(STRING_BYTES + 1), 'ü'.repeat(STRING_BYTES / 2) + 'x', '🎨'.repeat(STRING_BYTES / 4) + 'x', 'x'.repeat(100_000), 'ü'.repeat(100_000), 'x'.repeat(65_536) + '🎨'
]

/** As they go to the socket. */
function written (chunk: string | Buffer): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk
}

/** What a client takes out of one chunk: RFC 9112, 7.1. */
function unchunk (bytes: Buffer): string {
  const head = bytes.indexOf('\r\n')
  const digits = bytes.subarray(0, head).toString('latin1')
  strictEqual(/^[1-9a-f][0-9a-f]*$/.test(digits), true, `"${digits}" is a size, and not that of the last chunk`)
  const size = parseInt(digits, 16)
  strictEqual(bytes.length, head + 2 + size + 2)
  strictEqual(bytes.subarray(-2).toString('latin1'), '\r\n')
  return bytes.subarray(head + 2, -2).toString('utf8')
}

t.test('the chunk is what the chunked wire makes of the text, and comes out as it went in', async (t) => {
  for (const text of TEXTS) {
    const frame = new Frame(text)
    const name = `${encodeURIComponent(text.slice(0, 20))}, ${frame.size} bytes`
    t.equal(frame.size, Buffer.from(text).length, name)
    t.ok(written(frame.chunk).equals(frameText(text, frame.size)), name)
    t.equal(unchunk(written(frame.chunk)), text, name)
  }
})

t.test('a string has one byte in each character', async (t) => {
  for (const text of TEXTS) {
    const { chunk } = new Frame(text)
    if (typeof chunk === 'string') t.notMatch(chunk, /[^\0-\xff]/)
  }
  t.equal(new Frame('ü').chunk, '2\r\n\xc3\xbc\r\n')
  t.equal(new Frame(ASCII).chunk, `11\r\n${ASCII}\r\n`)
})

t.test('a small chunk is a string, a larger one bytes', async (t) => {
  for (const text of TEXTS) {
    const frame = new Frame(text)
    t.equal(typeof frame.chunk === 'string', frame.size <= STRING_BYTES, `${frame.size} bytes`)
  }
})

t.test('the bytes are those of the text', async (t) => {
  for (const text of TEXTS) t.ok(new Frame(text).bytes.equals(Buffer.from(text)))
})

t.test('they are made once: asked twice, it is the same object', async (t) => {
  for (const text of TEXTS) {
    const frame = new Frame(text)
    t.equal(frame.text, text)
    t.equal(frame.bytes, frame.bytes)
    t.equal(frame.chunk, frame.chunk)
    t.equal(frame.bytes.toString(), text, 'and the one leaves the other alone')
    t.equal(unchunk(written(frame.chunk)), text)
  }
})

t.test('whatever the text is', async (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.tuple(fc.string({ unit: 'binary', minLength: 1 }), fc.integer({ min: 1, max: 500 })).map(([text, times]) => text.repeat(times))
  )
  let large = 0
  fc.assert(fc.property(text, (text) => {
    const frame = new Frame(text)
    strictEqual(unchunk(written(frame.chunk)), text)
    strictEqual(frame.bytes.toString(), text)
    if (frame.size > STRING_BYTES) large++
  }), { numRuns: 1_000, seed: SEED })
  t.ok(large > 100, `${large} of 1,000 were large, PASTELLI_FUZZ_SEED=${SEED}`)
})
