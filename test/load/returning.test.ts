/** Clients that come back all at once, to a server that has in memory what they missed. */
import t from 'tap'
import { passes } from '../support/verdict.ts'

void t.test('clients that come back all at once get what they missed, once and in order', async (t) => {
  await passes(t, 'load/returning', { connections: 300, events: 600, places: 200 })
})
