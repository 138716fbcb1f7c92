/** The engine stands still: publishes fail in their time, streams stay open, and all go on. */
import t from 'tap'
import { ENGINES, passes } from '../support/chaos.ts'

t.jobs = ENGINES.length

for (const [engine, skip] of ENGINES) {
  void t.test(`an engine that stands still cuts no stream, and nobody misses what was acknowledged: ${engine}`, { skip, buffered: true }, async (t) => {
    await passes(t, 'engine-standstill', engine, { seconds: 4, nodes: 2, timeout: 1_500 })
  })
}
