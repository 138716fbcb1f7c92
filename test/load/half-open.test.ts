/** Clients whose link is cut without a word. */
import t from 'tap'
import { withoutNamespaces } from '../support/namespaces.ts'
import { passes } from '../support/verdict.ts'

void t.test('clients whose link is cut are found in time over every protocol, once each, and the others miss nothing', { skip: withoutNamespaces('CUT', 'net') }, async (t) => {
  await passes(t, 'load/half-open', { clients: 60, healthy: 20, age: 5_000, heartbeat: 1_000, timeout: 1_500 })
})
