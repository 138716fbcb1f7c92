/** Up to where topics were trimmed: exact for those trimmed last, never too early for any. */
import { ok, strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Watermarks } from '../../lib/topics/watermarks.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

t.test('nothing was trimmed at first', async (t) => {
  const watermarks = new Watermarks(2)
  for (const topic of ['a', '__proto__', 'constructor', '']) t.equal(watermarks.of(topic), 0)
})

t.test('as long as there are no more topics than it knows, all is known', async (t) => {
  const watermarks = new Watermarks(2)
  for (let offset = 1; offset <= 100; offset++) watermarks.set(offset % 2 === 0 ? 'a' : '__proto__', offset)
  t.equal(watermarks.of('a'), 100)
  t.equal(watermarks.of('__proto__'), 99)
  t.equal(watermarks.of('quiet'), 0)
})

t.test('of topics beyond that, the highest that was forgotten stands for all', async (t) => {
  const watermarks = new Watermarks(2)
  for (const [topic, offset] of [['a', 1], ['b', 2], ['a', 3], ['c', 5], ['d', 8], ['e', 13]] as const) watermarks.set(topic, offset)
  t.same(['a', 'b', 'c', 'd', 'e', 'quiet'].map((topic) => watermarks.of(topic)), [3, 3, 5, 8, 13, 3])
})

t.test('a watermark is exact for the topics that were trimmed last, and is never too early', async (t) => {
  const runs = fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 3 })), { maxLength: 100, size: 'max' })
  let late = 0
  fc.assert(fc.property(runs, fc.integer({ min: 1, max: 5 }), (runs, known) => {
    const watermarks = new Watermarks(known)
    const model = new Map<string, number>()
    let offset = 0
    for (const [n, step] of runs) {
      const topic = `topic ${n}`
      offset += step
      watermarks.set(topic, offset)
      model.delete(topic)
      model.set(topic, offset)
      const lastTrimmed = [...model].reverse()
      for (const [topic, offset] of lastTrimmed.slice(0, known)) strictEqual(watermarks.of(topic), offset)
      const least = lastTrimmed[Math.min(known, lastTrimmed.length) - 1]?.[1] ?? 0
      for (const [topic, offset] of lastTrimmed.slice(known)) {
        const told = watermarks.of(topic)
        ok(told >= offset, 'not too early')
        ok(told < least, 'nor later than what is exact')
        if (told > offset) late++
      }
      ok(watermarks.of('quiet') < least)
    }
  }), { numRuns: 500, seed: SEED })
  t.ok(late > 500, `${late} were too late, PASTELLI_FUZZ_SEED=${SEED}`)
})
