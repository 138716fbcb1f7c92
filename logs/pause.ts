/** How long to wait before the next try: longer each time, and not all at once. */
import { setTimeout as delay } from 'node:timers/promises'

const FIRST = 50
const LONGEST = 5_000

/**
 * @param attempt from 0
 * @param most ms
 * @param signal ends it at once
 * @param limit ms; to what it grows
 */
export async function pause (attempt: number, most = Infinity, signal?: AbortSignal, limit = LONGEST): Promise<void> {
  const longest = Math.min(LONGEST, limit, FIRST * 2 ** Math.min(attempt, 10))
  const ms = longest * (0.5 + Math.random() / 2)
  await delay(Math.max(0, Math.min(ms, most)), undefined, { signal, ref: false }).catch(() => {})
}
