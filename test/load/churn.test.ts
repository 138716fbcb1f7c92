/** Clients come and leave at a steady rate, in every way: nothing is left of them. */
import t from 'tap'
import { passes } from '../support/verdict.ts'

void t.test('of clients that come at a rate and leave by FIN, RST and half-close nothing is left, and each end is reported once', async (t) => {
  await passes(t, 'soak', { rate: 200, seconds: 4, 'warm-up': 3 })
})
