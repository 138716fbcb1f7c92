/** Collecting garbage, to see what is still held. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** The bytes of what is still held after all else was collected. */
export async function heldBytes (): Promise<number> {
  await nextTurn()   // in the turn in which it was made or looked at, what is held weakly is held
  collect()
  return process.memoryUsage().heapUsed
}

/** How many of these are still held by somebody else. */
export async function countHeld (refs: Array<WeakRef<object>>): Promise<number> {
  await heldBytes()
  return refs.filter((ref) => ref.deref() !== undefined).length
}
