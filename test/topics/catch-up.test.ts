/** Those who are behind go on in turn, and the event loop is not held until all have. */
import t from 'tap'
import { CatchUp } from '../../lib/topics/catch-up.ts'
import type { Cursor } from '../../lib/topics/cursor.ts'
import { until } from '../support/until.ts'

/** A cursor that takes so many ms to go on. */
function cursor (ms: number, goOn: () => void): Cursor {
  const spin = () => {
    const end = performance.now() + ms
    while (performance.now() < end);
    goOn()
  }
  return { goOn: spin } as Cursor
}

await t.test('those who are behind go on one after the other, a few in each turn', async (t) => {
  const catchUp = new CatchUp()
  const turns: number[][] = [[]]
  const turn = () => {
    turns.push([])
    if (turns.flat().length < 40) setImmediate(turn)
  }
  for (let i = 0; i < 40; i++) catchUp.add(cursor(1, () => { turns.at(-1)?.push(i) }))
  t.same(turns, [[]], 'none at once')
  setImmediate(turn)
  await until(() => turns.flat().length === 40)
  t.same(turns.flat(), Array.from({ length: 40 }, (_, i) => i))
  t.ok(Math.max(...turns.map((turn) => turn.length)) < 10, `in turns of ${turns.map((turn) => turn.length)}`)
})

await t.test('one that can go on again at once waits for the next turn, and for those before it', async (t) => {
  const catchUp = new CatchUp()
  const seen: string[] = []
  let isTurn = false
  const greedy = cursor(0, () => {
    seen.push('greedy')
    if (seen.length < 6) catchUp.add(greedy)
    if (seen.length === 1) setImmediate(() => { isTurn = true })
  })
  catchUp.add(greedy)
  catchUp.add(cursor(0, () => { seen.push('patient') }))
  await until(() => seen.length === 6)
  t.same(seen.slice(0, 3), ['greedy', 'patient', 'greedy'])
  t.ok(isTurn)
})
