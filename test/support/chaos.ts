/** A program of benchmarks/chaos in a short form, as a test: it starts an engine, nodes and clients, and ends with one line. */
import type { Test } from 'tap'
import { withoutNats } from './nats.ts'
import { withoutRedis } from './redis.ts'
import * as verdict from './verdict.ts'

/** For `skip`: what goes into a test of an engine that is not there. */
export const ENGINES = [['redis', withoutRedis()], ['nats', withoutNats()]] as const

/** Passes if the program does. */
export async function passes (t: Test, program: string, engine: string, options: Record<string, number>): Promise<void> {
  await verdict.passes(t, `chaos/${program}`, { engine, clients: 24, ...options })
}
