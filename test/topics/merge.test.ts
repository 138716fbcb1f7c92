/** Many queues read as one, against a list that is sorted. */
import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { merge, type Source } from '../../lib/topics/merge.ts'
import { Queue } from '../../lib/topics/queue.ts'
import { Record } from '../../lib/topics/record.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

// One queue for each topic, and every record of all of them from `start` on still to be read.
function sourcesOf (records: Record[], start: number): Source[] {
  const queues = new Map<string, Queue<Record>>()
  for (const record of records) {
    const queue = queues.get(record.topic) ?? new Queue<Record>()
    queues.set(record.topic, queue)
    queue.push(record)
  }
  return [...queues.values()].flatMap((queue) => {
    const index = queue.search(({ offset }) => offset > start)
    return index < queue.length ? [{ queue, index, offset: queue.at(index).offset }] : []
  })
}

t.test('nothing gives nothing', async (t) => {
  t.same(merge([], 1), [])
  t.same(merge([], Infinity), [])
})

t.test('without a limit all comes, in order, and nothing remains', async (t) => {
  const records = ['b', 'a', 'a', 'c', 'b', 'd', 'a'].map((topic, i) => new Record('e', i + 1, { topic, data: '', json: false }))
  const sources = sourcesOf(records, 0)
  t.same(merge(sources, Infinity).map(({ offset }) => offset), [1, 2, 3, 4, 5, 6, 7])
  t.same(sources, [])
})

t.test('in pieces it comes as it would at once, and each ends with what passes the limit', async (t) => {
  const topics = fc.array(fc.nat(20), { minLength: 1, maxLength: 100, size: 'max' })
  let pieces = 0
  fc.assert(fc.property(topics, fc.nat(100), fc.integer({ min: 0, max: 500 }), (topics, start, limit) => {
    const records = topics.map((topic, i) => new Record('e', i + 1, { topic: String(topic), data: 'x'.repeat(i % 50), json: false }))
    const sources = sourcesOf(records, start)
    const found: Record[] = []
    while (sources.length !== 0) {
      const piece = merge(sources, limit)
      const sizes = piece.map(({ size }) => size)
      const isLast = sources.length === 0
      strictEqual(sum(sizes) >= limit || isLast, true, 'no less than the limit')
      strictEqual(sum(sizes.slice(0, -1)) < limit || piece.length === 1, true, 'no more than passes it')
      found.push(...piece)
      pieces++
    }
    deepStrictEqual(found.map(({ offset }) => offset), records.slice(start).map(({ offset }) => offset))
  }), { numRuns: 500, seed: SEED })
  t.ok(pieces > 500, `${pieces} pieces, PASTELLI_FUZZ_SEED=${SEED}`)
})

function sum (numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
