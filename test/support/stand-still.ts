/** Makes a process stand still, so that nothing of it runs any more when that is done. */
import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const PATIENCE = 2_000

/** Its connections stay, and nothing is answered, until SIGCONT. On a busy machine a thread of it may run on for some ms otherwise. */
export function standStill (child: ChildProcess | null): void {
  if (child === null) return
  child.kill('SIGSTOP')
  const deadline = performance.now() + PATIENCE
  while (process.platform === 'linux' && isMoving(child.pid as number) && performance.now() < deadline);
}

// The state follows the name, which stands in parentheses.
function isMoving (pid: number): boolean {
  const threads = `/proc/${pid}/task`
  return readdirSync(threads).some((thread) => !/^\) [TtZX]/.test(readFileSync(`${threads}/${thread}/stat`, 'utf8').replace(/^.*(?=\) )/s, '')))
}
