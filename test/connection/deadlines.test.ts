/** Deadlines: none comes before its time, however seldom the clock looks. */
import t from 'tap'
import { Deadlines } from '../../lib/connection/deadlines.ts'
import type { Transport } from '../../lib/connection/transport.ts'

const PERIOD = 250

function transport (queued: number, taken: number): Transport {
  return { queued, taken } as Transport
}

t.test('a client has its whole time to take what came to wait between two looks', async (t) => {
  const deadlines = new Deadlines()
  deadlines.start(0, 0)
  deadlines.stuckFor(transport(0, 0), PERIOD)
  // A moment before the next look something waits, and is never taken.
  const since = PERIOD * 2 - 1
  const looks = [2, 3, 4, 5, 6, 7].map((n) => PERIOD * n)
  for (const now of looks) {
    const stuckFor = deadlines.stuckFor(transport(5, 0), now)
    t.ok(stuckFor <= now - since, `${stuckFor} ms at ${now}`)
    t.ok(stuckFor >= now - since - PERIOD, 'and not later than a look')
  }
})

t.test('what waits when a stream closes has the time from then on', async (t) => {
  const deadlines = new Deadlines()
  deadlines.start(0, 0)
  deadlines.stuckFor(transport(0, 0), PERIOD)
  deadlines.startDraining(300)
  t.equal(deadlines.stuckFor(transport(5, 0), 500), 200)
  t.equal(deadlines.stuckFor(transport(4, 1), 750), 0, 'anew with each byte that is taken')
})
