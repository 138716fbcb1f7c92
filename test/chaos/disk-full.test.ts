/** The engine's disk is full, until there is room again. */
import t from 'tap'
import { ENGINES, passes } from '../support/chaos.ts'
import { withoutNamespaces } from '../support/namespaces.ts'

t.jobs = ENGINES.length

const without = withoutNamespaces('FILLED', 'mount')

for (const [engine, skip] of ENGINES) {
  void t.test(`an engine whose disk is full fails publishes, cuts no stream, and loses nothing that was acknowledged: ${engine}`, { skip: skip || without, buffered: true }, async (t) => {
    await passes(t, 'disk-full', engine, { seconds: 1, nodes: 2, timeout: 1_500 })
  })
}
