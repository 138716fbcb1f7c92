/** The queue, against an array that does the same. */
import { strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Queue } from '../../lib/topics/queue.ts'
import { countHeld } from '../support/garbage.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

t.test('an empty queue has nothing', async (t) => {
  const queue = new Queue<number>()
  t.equal(queue.length, 0)
  t.equal(queue.first, undefined)
  t.equal(queue.shift(), undefined)
  t.equal(queue.length, 0, 'and no less after that')
  t.equal(queue.search(() => true), 0)
  queue.push(1)
  t.equal(queue.first, 1)
})

t.test('what comes leaves in its order, and can be read at its place, however many have come and gone', async (t) => {
  // So many at once that places are given back, and so few that they are not.
  const steps = fc.array(fc.tuple(fc.nat(200), fc.nat(200)), { maxLength: 20, size: 'max' })
  let left = 0
  fc.assert(fc.property(steps, (steps) => {
    const queue = new Queue<number>()
    const model: number[] = []
    let next = 0
    for (const [pushes, shifts] of steps) {
      for (let i = 0; i < pushes; i++) {
        model.push(next)
        queue.push(next++)
      }
      for (let i = 0; i < shifts; i++) {
        strictEqual(queue.first, model[0])
        strictEqual(queue.shift(), model.shift())
        strictEqual(queue.length, model.length)
        left++
      }
      for (const [i, item] of model.entries()) strictEqual(queue.at(i), item)
      for (const mark of [-1, model[0] ?? 0, next - shifts, next]) {
        const index = model.findIndex((item) => item > mark)
        strictEqual(queue.search((item) => item > mark), index === -1 ? model.length : index)
      }
    }
  }), { numRuns: 200, seed: SEED })
  t.ok(left > 10_000, `${left} have left, PASTELLI_FUZZ_SEED=${SEED}`)
})

t.test('it may hold what is falsy', async (t) => {
  const queue = new Queue<unknown>()
  for (const item of [0, undefined, null, '']) queue.push(item)
  t.equal(queue.length, 4)
  t.same([queue.shift(), queue.shift(), queue.shift(), queue.shift()], [0, undefined, null, ''])
  t.equal(queue.length, 0)
})

t.test('what has left is let go of at once', async (t) => {
  const queue = new Queue<object>()
  const refs = Array.from({ length: 100 }, () => {
    const item = {}
    queue.push(item)
    return new WeakRef(item)
  })
  for (const count of [100, 99, 50, 1, 0]) {
    while (queue.length > count) queue.shift()
    t.equal(await countHeld(refs), count)
  }
  t.equal(queue.length, 0)
})

t.test('to come and leave takes as long in a long queue as in a short one', async (t) => {
  const timeWith = (length: number) => {
    const queue = new Queue<number>()
    for (let i = 0; i < length; i++) queue.push(i)
    const start = performance.now()
    for (let i = 0; i < 200_000; i++) {
      queue.push(i)
      queue.shift()
    }
    return performance.now() - start
  }
  timeWith(100)
  const short = timeWith(100)
  const long = timeWith(1_000_000)
  t.ok(long < short * 50, `${long / short} times as long; a queue that moved its items would take ten thousand times`)
})
