/** A node is killed: its clients go on at another one. */
import t from 'tap'
import { ENGINES, passes } from '../support/chaos.ts'

t.jobs = ENGINES.length

for (const [engine, skip] of ENGINES) {
  void t.test(`nodes are killed while events are published, and every client has all of them once, in one order: ${engine}`, { skip, buffered: true }, async (t) => {
    await passes(t, 'node-death', engine, { rounds: 2 })
  })
}
