/** The log in Redis, against a real server. */
import t from 'tap'
import { redisLog } from '../../logs/redis.ts'
import { logContract } from '../contract/log.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'

const skip = withoutRedis()
let names = 0

for (const kind of ['ioredis', 'redis'] as const) {
  await t.test(`a log in Redis keeps the contract of a log, through a client of ${kind}`, { skip }, async (t) => {
    const redis = await startRedis(t)
    const client = await redis.client(t, kind)
    logContract(t, async ({ events }) => {
      const name = `log ${names++}`
      const open = () => redisLog({ client, name, events })
      const next = async () => {
        await redis.cli('FLUSHALL')
        return await open()
      }
      return { log: await open(), next }
    }, 40)
  })
}
