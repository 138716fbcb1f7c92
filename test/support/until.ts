/** Waiting for a condition, never for a while. */
import { setTimeout as delay } from 'node:timers/promises'

// So long that only a condition that never comes gets there, ms: a browser on a busy machine takes its time.
const DEADLINE = 10_000
const LONG = 20_000

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

/** The same of what has to be asked, or takes a browser's time. */
export async function eventually<Value> (condition: () => Value | Promise<Value>, what: string): Promise<NonNullable<Value>> {
  const deadline = performance.now() + LONG
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`waited ${LONG} ms in vain until ${what}`)
    await delay(5)
  }
}
