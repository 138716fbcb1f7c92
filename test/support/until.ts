/** Waiting for a condition, never for a while. */
import { setTimeout as delay } from 'node:timers/promises'

// So long that only a condition that never comes gets there, ms.
const DEADLINE = 10_000

/**
 * Resolves with what the condition answers as soon as that is truthy.
 * @param what the condition in words, for the error
 */
export async function until<Value> (condition: () => Value, what: string = String(condition)): Promise<NonNullable<Value>> {
  const deadline = performance.now() + DEADLINE
  for (;;) {
    const value = condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`waited ${DEADLINE} ms in vain until ${what}`)
    await delay(1)
  }
}
