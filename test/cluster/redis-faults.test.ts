/** Nodes on a Redis that fails, is emptied, or stands still. */
import t from 'tap'
import { engineFaults } from '../contract/node-faults.ts'
import { withoutRedis } from '../support/redis.ts'
import { redisVictim } from '../support/victims.ts'

await t.test('nodes keep what they promise when Redis fails', { skip: withoutRedis() }, async (t) => { engineFaults(t, redisVictim) })
