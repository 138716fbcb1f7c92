/** What waits to be appended in Redis, where Redis does not answer. */
import t from 'tap'
import { Appender } from '../../logs/redis/appender.ts'
import type { Line } from '../../logs/redis/line.ts'
import { draft } from '../contract/scene.ts'

const SILENT: Line = { send: () => new Promise(() => {}), open: async () => SILENT, close: () => {} }
const NAMES = { stream: 's', epoch: 'e', run: 'r', prefix: 'p' }

// Their times end microseconds apart, so that some end while others are failed: all of them have to.
await t.test('everything that waits fails within its time, however close together that ends', async (t) => {
  const began = performance.now()
  const appenders = Array.from({ length: 300 }, () => new Appender(SILENT, NAMES, 1_000, 60_000, 200))
  const waiting = appenders.flatMap((appender) => Array.from({ length: 20 }, (_, n) => appender.append(draft('a', String(n)))))
  const outcomes = await Promise.allSettled(waiting)
  t.same(new Set(outcomes.map(({ status }) => status)), new Set(['rejected']))
  t.ok(performance.now() - began < 5_000)
})
