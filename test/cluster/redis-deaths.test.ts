/** Nodes on Redis that die, or stand still. */
import t from 'tap'
import { nodeDeaths } from '../contract/node-faults.ts'
import { withoutRedis } from '../support/redis.ts'
import { redisVictim } from '../support/victims.ts'

await t.test('nodes on Redis keep what they promise when one of them fails', { skip: withoutRedis() }, async (t) => { nodeDeaths(t, redisVictim) })
