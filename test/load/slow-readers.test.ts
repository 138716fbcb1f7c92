/** Clients that do not read, among others that do. */
import t from 'tap'
import { passes } from '../support/verdict.ts'

void t.test('hundreds of clients that read nothing or a byte a second are cut and told, and the others miss nothing', async (t) => {
  await passes(t, 'slow-readers', { runs: 'disconnect', seconds: 8, light: 100, heavy: 5 })
})
