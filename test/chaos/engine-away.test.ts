/** The engine is gone for a while: nodes ask for it now and then, say so once, and do nothing else. */
import t from 'tap'
import { ENGINES, passes } from '../support/chaos.ts'

t.jobs = ENGINES.length

for (const [engine, skip] of ENGINES) {
  void t.test(`without its engine a node does not spin, hammer or flood its log: ${engine}`, { skip, buffered: true }, async (t) => {
    await passes(t, 'engine-away', engine, { seconds: 5, nodes: 2, timeout: 1_500 })
  })
}
