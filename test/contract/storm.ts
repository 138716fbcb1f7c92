/** Thousands who come back at once, to places that are not in memory. */
import type { Test } from 'tap'
import type { Log } from '../../lib/topics/log.ts'
import { until } from '../support/until.ts'
import { draft, follow, offsetOf, readFrom } from './scene.ts'

const EVENTS = 3_000
const TOPICS = 10
const PLACES = 1_000

// Six blocks of the engine have them all, and each is read once, or a few times.
const MAX_READS = 30

/**
 * Each of the readers has to get what is his, by few reads.
 * @param log has less in memory
 * @param reads how many there were until now
 */
export async function storm (t: Test, log: Log, readers: number, reads: () => number | Promise<number>): Promise<void> {
  const { stop } = follow(log)
  t.teardown(stop)
  const ids = await Promise.all(Array.from({ length: EVENTS }, (_, n) => log.append(draft(`topic ${n % TOPICS}`, String(n)))))
  await until(() => log.head >= offsetOf(ids.at(-1)), 'all is heard')
  const before = await reads()
  const batches = await Promise.all(Array.from({ length: readers }, (_, n) => readFrom(log, [`topic ${n % TOPICS}`], offsetOf(ids[n % PLACES]))))
  const made = await reads() - before
  t.ok(made > 0 && made < MAX_READS, `${made} reads`)
  const wrong = batches.flatMap((batch, n) => batch?.records.map(({ data }) => data).join() === following(n % PLACES) ? [] : n)
  t.same(wrong, [], 'each has what is his')
}

// What follows the event of this number on its topic.
function following (n: number): string {
  return Array.from({ length: (EVENTS - n - 1) / TOPICS }, (_, i) => n + (i + 1) * TOPICS).join()
}
