/** The engine is killed: what it has taken is there again; without a disk everybody is told. */
import t from 'tap'
import { ENGINES, passes } from '../support/chaos.ts'

t.jobs = ENGINES.length

for (const [engine, skip] of ENGINES) {
  void t.test(`an engine is killed while events are published: with a disk nothing is lost or comes twice, without one every client gets the gap: ${engine}`, { skip, buffered: true }, async (t) => {
    await passes(t, 'engine-death', engine, { rounds: 1, nodes: 2, timeout: 2_000 })
  })
}
