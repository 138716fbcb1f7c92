/** Nodes on NATS that die, or stand still. */
import t from 'tap'
import { nodeDeaths } from '../contract/node-faults.ts'
import { withoutNats } from '../support/nats.ts'
import { natsVictim } from '../support/victims.ts'

await t.test('nodes on NATS keep what they promise when one of them fails', { skip: withoutNats() }, async (t) => { nodeDeaths(t, natsVictim) })
