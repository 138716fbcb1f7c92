/** Pieces of a compressed stream: each can be read at once, whatever is ahead of it, and the whole is one gzip file. */
import { strictEqual } from 'node:assert/strict'
import { constants, crc32, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { deflate, GZIP_HEAD, gzipTail } from '../../lib/wire/deflate.ts'
import { Frame } from '../../lib/wire/frame.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

// Where the way in which a piece is compressed changes, and what a piece can look back to.
const EDGES = [4 * 1024, 16 * 1024, 32 * 1024]

/** What a client reads that has got these bytes so far. */
function readSoFar (pieces: Uint8Array[]): string {
  return gunzipSync(Buffer.concat([GZIP_HEAD, ...pieces]), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
}

function event (n: number, size = 0): string {
  return `id: z6zsM9Wl:${n}\ndata: {"series":"cpu","at":${1_732_400_000_000 + n * 1000},"value":${(Math.sin(n) * 50 + 50).toFixed(2)}}${'é'.repeat(size)}\n\n`
}

t.test('a piece can be read as soon as it is there, behind any other', async (t) => {
  const pieces: Buffer[] = []
  let text = ''
  let before: Buffer | null = null
  for (const size of [0, 10, 0, ...EDGES.flatMap((edge) => [edge - 1, edge, edge + 1, 0]), 100_000, 0]) {
    const next = Buffer.from(event(pieces.length) + 'x'.repeat(size))
    pieces.push(deflate(next, before))
    text += next.toString()
    t.equal(readSoFar(pieces), text, `${size} more`)
    before = next.subarray(-EDGES[2]!)
  }
})

t.test('events that look like the one before take a third of the bytes; without it, next to nothing is won', async (t) => {
  const texts = Array.from({ length: 100 }, (_, n) => Buffer.from(event(n)))
  const sum = (sizes: number[]) => sizes.reduce((a, b) => a + b)
  const plain = sum(texts.map((text) => text.length))
  const leaning = sum(texts.map((text, n) => deflate(text, texts[n - 1] ?? null).length))
  const alone = sum(texts.map((text) => deflate(text, null).length))
  t.ok(leaning < plain * 0.4, `${leaning} of ${plain}`)
  t.ok(alone > plain * 0.8, `${alone} of ${plain}`)
})

t.test('any bytes come out as they went in, in pieces that lean on the one before or on nothing, and the whole is checked', async (t) => {
  const pieces = fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.boolean()), { minLength: 1, maxLength: 12 })
  fc.assert(fc.property(pieces, (parts) => {
    const out: Buffer[] = [GZIP_HEAD]
    let crc = 0
    for (const [i, [bytes, leans]] of parts.entries()) {
      out.push(deflate(bytes, leans ? parts[i - 1]?.[0] ?? null : null))
      crc = crc32(bytes, crc)
    }
    const whole = Buffer.concat(parts.map(([bytes]) => bytes))
    out.push(gzipTail(crc, whole.length))
    strictEqual(gunzipSync(Buffer.concat(out)).equals(whole), true)
  }), { seed: SEED, numRuns: 500 })
  t.pass(`seed ${SEED}`)
})

t.test('the tail tells what is wrong, and counts more than 4 GiB', async (t) => {
  const text = Buffer.from('a')
  const stream = (crc: number, size: number) => Buffer.concat([GZIP_HEAD, deflate(text, null), gzipTail(crc, size)])
  t.equal(gunzipSync(stream(crc32(text), 1)).toString(), 'a')
  t.throws(() => gunzipSync(stream(crc32('b'), 1)), { code: 'Z_DATA_ERROR' })
  t.throws(() => gunzipSync(stream(crc32(text), 2)), { code: 'Z_DATA_ERROR' })
  t.equal(gunzipSync(stream(crc32(text), 2 ** 32 + 1)).toString(), 'a')
})

t.test('a frame is compressed once for all who have the same behind them, and again for a few others', async (t) => {
  const [a, b] = [new Frame(event(1)), new Frame(event(2))]
  const frame = new Frame(event(3))
  t.equal(frame.deflatedAfter(a), frame.deflatedAfter(a))
  t.equal(frame.deflatedAfter(null), frame.deflatedAfter(null))
  t.not(frame.deflatedAfter(a), frame.deflatedAfter(b))
  t.equal(readSoFar([a.deflatedAfter(null).bytes, frame.deflatedAfter(a).bytes]), a.text + frame.text)
  t.equal(readSoFar([b.deflatedAfter(null).bytes, frame.deflatedAfter(b).bytes]), b.text + frame.text)
  const others = Array.from({ length: 20 }, (_, n) => new Frame(event(n)))
  const all = new Set(others.map((other) => frame.deflatedAfter(other)))
  for (const other of others) all.add(frame.deflatedAfter(other))
  t.ok(all.size > 20, 'it does not keep one for everybody')
})

t.test('a compressed frame is a chunk like any other, small or large', async (t) => {
  for (const text of ['a', event(1), Array.from({ length: 2_000 }, (_, n) => event(n)).join('')]) {
    const { bytes, chunk } = new Frame(text).deflatedAfter(null)
    const framed = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk
    t.ok(framed.equals(Buffer.concat([Buffer.from(bytes.length.toString(16) + '\r\n'), bytes, Buffer.from('\r\n')])))
  }
})
