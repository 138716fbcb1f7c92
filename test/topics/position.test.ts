/** Positions: what is one, what is none, and that there is one way to write each. */
import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { formatPosition, parsePosition } from '../../lib/topics/position.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)
const LONGEST = 'e'.repeat(64)

const RIGHT: Array<[text: string, epoch: string, offset: number]> = [
  ['a:0', 'a', 0],
  ['a:1', 'a', 1],
  ['0:10', '0', 10],
  ['1700000000-0:1', '1700000000-0', 1],
  ['Az09_-.:42', 'Az09_-.', 42],
  ['.:1', '.', 1],
  ['__proto__:1', '__proto__', 1],
  [`${LONGEST}:1`, LONGEST, 1],
  ['a:9007199254740991', 'a', Number.MAX_SAFE_INTEGER],
  [`${LONGEST}:9007199254740991`, LONGEST, Number.MAX_SAFE_INTEGER]
]

const WRONG: Array<[why: string, texts: string[]]> = [
  ['empty, or half of one', ['', ':', 'a', '1', 'a:', ':1', 'a:1:', ':a:1', '::1']],
  ['no epoch of 1 to 64 characters', [`${LONGEST}e:1`, `${'e'.repeat(126)}:1`, `${'e'.repeat(127)}:1`, `${'e'.repeat(1_000_000)}:1`]],
  ['more than one', ['a:1:2', 'a:b:1', 'a:1, a:1', 'a:1,a:1', 'a:1;a:1', 'a:1 a:1', 'a:1\na:1', 'a:1\r\na:1']],
  ['an offset beyond 2^53 - 1', ['a:9007199254740992', 'a:9007199254740993', 'a:9999999999999999', 'a:10000000000000000', `a:${'1'.repeat(124)}`, `a:${'1'.repeat(100_000)}`]],
  ['leading zeros', ['a:00', 'a:01', 'a:000000001']],
  ['signs', ['a:-1', 'a:+1', 'a:-0', '-a:-1']],
  ['no plain digits', ['a:1.0', 'a:1.', 'a:.1', 'a:1e3', 'a:0x1', 'a:1n', 'a:1_0', 'a:NaN', 'a:Infinity', 'a:null', 'a:b', 'a:1b']],
  ['spaces and line ends', [' a:1', 'a:1 ', 'a :1', 'a: 1', 'a:1\n', 'a:1\r', '\na:1', 'a:1\0', '\ta:1', 'a:1\u00a0', '\ufeffa:1']],
  ['other characters', ['ä:1', 'é:1', '🎨:1', 'ſ:1', '\u212a:1', 'a:١', 'a:１', 'a：1', 'a/b:1', 'a+b:1', 'a,b:1', 'a"b:1', '"a:1"', "'a:1'", 'a;b:1', '(a):1', '%61:1', 'a%3A1', '\ud83c:1']]
]

for (const [text, epoch, offset] of RIGHT) {
  t.test(`"${text}" is a position`, async (t) => {
    t.strictSame(parsePosition(text), { epoch, offset })
    t.equal(formatPosition(epoch, offset), text)
  })
}

for (const [why, texts] of WRONG) {
  t.test(`no position: ${why}`, async (t) => {
    for (const text of texts) t.equal(parsePosition(text), null, JSON.stringify(text.slice(0, 80)))
  })
}

t.test('the longest one is shorter than 128 bytes, and ASCII', async (t) => {
  const longest = formatPosition(LONGEST, Number.MAX_SAFE_INTEGER)
  t.ok(Buffer.byteLength(longest) <= 128)
  t.notSame(parsePosition(longest), null)
  t.notMatch(longest, /[^\x21-\x7e]/)
})

t.test('what is formatted is parsed, and what is parsed is formatted the same', async (t) => {
  const characters = [...'abcXYZ0189_-.']
  const epoch = fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 64, size: 'max' })
  fc.assert(fc.property(epoch, fc.maxSafeNat(), (epoch, offset) => {
    deepStrictEqual(parsePosition(formatPosition(epoch, offset)), { epoch, offset })
  }), { numRuns: 2_000, seed: SEED })
  let positions = 0
  const near = fc.string({ unit: fc.constantFrom('a', '0', '1', ':', ':', '-', ' ', '.', '\n', 'ä', '+'), maxLength: 6 })
  fc.assert(fc.property(near, (text) => {
    const position = parsePosition(text)
    if (position === null) return
    strictEqual(formatPosition(position.epoch, position.offset), text)
    positions++
  }), { numRuns: 20_000, seed: SEED })
  t.ok(positions > 20, `${positions} of 20,000 random texts were positions, PASTELLI_FUZZ_SEED=${SEED}`)
})
