/** A connection to the engine dies in silence: that is noticed in its time. */
import t from 'tap'
import { ENGINES, passes } from '../support/chaos.ts'

t.jobs = ENGINES.length

for (const [engine, skip] of ENGINES) {
  void t.test(`a node's connection that has died in silence is given up in its time, and nothing is missed: ${engine}`, { skip, buffered: true }, async (t) => {
    await passes(t, 'silent-connection', engine, { rounds: 1, nodes: 2, timeout: 2_000 })
  })
}
