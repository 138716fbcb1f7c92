/** What the programs of benchmarks/chaos take for a fault. */
import t from 'tap'
import { History, type Step } from '../../benchmarks/chaos/history.ts'
import { seeded } from '../../benchmarks/chaos/random.ts'
import { expectAll, expectSame } from '../../benchmarks/chaos/verdict.ts'
import { Faults } from '../../benchmarks/verdict.ts'

const outcome = { published: 5, acknowledged: [[0, 2], [4, 4]] as Step[], failures: {}, slowest: 0 }

function faultsOf (...histories: Step[][]): string[] {
  const faults = new Faults()
  const seen = histories.map((steps) => ({ steps, clients: 1 }))
  expectAll(faults, seen, outcome)
  expectSame(faults, seen)
  return faults.found
}

t.test('what was acknowledged has to be there, once, for everybody in one order', async (t) => {
  t.same(faultsOf([[0, 2], [4, 4]]), [])
  t.same(faultsOf([[0, 4]]), [], 'what failed may come all the same')
  t.match(faultsOf([[0, 1], [4, 4]]), [/lack 1 .*: 2/])
  t.match(faultsOf([[0, 2], [2, 4]]), [/have 1 twice/])
  t.match(faultsOf([[0, 2], 'gap foreign', [4, 4]]), [/were told "gap foreign"/])
  t.match(faultsOf([[0, 4]], [[0, 2], [4, 4]]), [/2 histories/])
})

t.test('a history has runs of numbers that follow each other', async (t) => {
  const history = new History()
  for (const n of [0, 1, 2, 4, 5, 5]) history.add(n)
  history.note('gap trimmed')
  history.add(6)
  t.same(history.steps, [[0, 2], [4, 5], [5, 5], 'gap trimmed', [6, 6]])
  history.add(3)
  t.equal(history.highest, 6)
})

t.test('chances are the same for the same seed', async (t) => {
  const numbers = (seed: number) => {
    const random = seeded(seed)
    return Array.from({ length: 1_000 }, () => random(10, 20))
  }
  t.same(numbers(1), numbers(1))
  t.notSame(numbers(1), numbers(2))
  t.ok(numbers(3).every((n) => n >= 10 && n < 20))
  const mean = numbers(4).reduce((sum, n) => sum + n, 0) / 1_000
  t.ok(mean > 14.5 && mean < 15.5, String(mean))
})
