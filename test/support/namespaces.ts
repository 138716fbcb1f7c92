/** Whether a test may make namespaces of its own, for what is mounted or cut there. */
import { unshare } from '../../benchmarks/chaos/namespaces.ts'

/**
 * What goes into a test's `skip`: false if they can be made, or if they have to be and the test shall fail.
 * @param what is not done without them, loudly
 */
export function withoutNamespaces (what: string, ...kinds: Parameters<typeof unshare>): string | false {
  if (process.env.PASTELLI_REQUIRE_ALL === '1' || unshare(...kinds) !== null) return false
  const loud = `NOT ${what}: this user can make no namespaces (${kinds.join(', ')})`
  console.error(loud)
  return loud
}
