/** Nodes on a NATS that fails, is emptied, or stands still. */
import t from 'tap'
import { engineFaults } from '../contract/node-faults.ts'
import { withoutNats } from '../support/nats.ts'
import { natsVictim } from '../support/victims.ts'

await t.test('nodes keep what they promise when NATS fails', { skip: withoutNats() }, async (t) => { engineFaults(t, natsVictim) })
