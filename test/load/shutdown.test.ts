/** A server is told to end, and another process takes its port: its clients go over, whatever some of them do not read. */
import t from 'tap'
import { withoutRedis } from '../support/redis.ts'
import { passes, WITHOUT_LINUX } from '../support/verdict.ts'

const SHORT = { connections: 200, stalled: 3, drain: 1_500, retry: 300 }

void t.test('each client of a server that ends goes over to the next process and is told of the gap; those that stall do not hold it up', { skip: WITHOUT_LINUX }, async (t) => {
  await passes(t, 'load/shutdown', { log: 'memory', ...SHORT })
})

void t.test('where the log is on an engine each resumes, and nothing is missing', { skip: WITHOUT_LINUX || withoutRedis() }, async (t) => {
  await passes(t, 'load/shutdown', { log: 'redis', ...SHORT })
})
