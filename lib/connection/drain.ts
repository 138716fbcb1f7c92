/** Shutdown: all connections end in batches, spread over time, and what has not ended by the deadline is cut. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import type { Registry } from './registry.ts'

// 1,000 connections in half a second; as many more at once as it takes to be through by half of the deadline.
const BATCH = 100
const PAUSE = 50

// The delay that clients are told when the app has set none, ms.
const DEFAULT_RETRY = 2_000

/**
 * Closes everything in the registry with the reason `shutdown`, and from now on everything that still opens; resolves
 * when it is empty. Each client is told to come back after 0.5 to 1.5 times the retry delay, at random, so that they do
 * not all come at once.
 * @param deadline ms until what is still open, or whose handler has not opened it yet, is cut
 * @param retry the app's own reconnection delay, ms; 0 if there is none
 */
export async function drain (registry: Registry, deadline: number, retry: number): Promise<void> {
  const dismiss = (connection: Connection) => { connection.shutdown(Math.round((retry || DEFAULT_RETRY) * (0.5 + Math.random()))) }
  registry.on('open', dismiss)
  const cutter = new AbortController()
  const cutting = delay(deadline, undefined, { signal: cutter.signal }).then(() => {
    for (const connection of [...registry, ...registry.opening]) connection.destroy('shutdown')
  }, () => {})
  void inBatches(registry, Math.ceil(registry.size / (deadline / 2 / PAUSE)), dismiss)
  await registry.empty()
  cutter.abort()
  await cutting
}

// On a machine that is busy a batch takes its time as well: what is late then follows at once, or the last would be cut.
async function inBatches (registry: Registry, size: number, dismiss: (connection: Connection) => void): Promise<void> {
  let batch = 0
  let due = performance.now()
  for (const connection of registry) {
    if (batch === Math.max(BATCH, size)) {
      due += PAUSE * (0.5 + Math.random())
      await delay(Math.max(0, due - performance.now()))
      batch = 0
    }
    dismiss(connection)
    batch++
  }
}
