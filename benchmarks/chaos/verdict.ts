/** What the programs here have in common: their options, and what they take for a fault. */
import { type Faults, verdict } from '../verdict.ts'
import type { Seen } from './clients.ts'
import type { EngineName } from './engine.ts'
import { numbersOf, wordsOf } from './history.ts'
import type { Outcome } from './publisher.ts'

export type Options<Name extends string> = Record<Name, number> & { engine: EngineName, clients: number, nodes: number, rate: number, timeout: number, seed: number }

const COMMON = { engine: 'redis', clients: 1_000, nodes: 3, rate: 20, timeout: 5_000, seed: 1 }
const ENGINES: readonly string[] = ['redis', 'nats'] satisfies EngineName[]

/**
 * Runs a program with the options of its command line, which are numbers, and `--engine`.
 * @param run answers the figures
 */
export async function chaos<Name extends string> (defaults: Record<Name, number>, run: (options: Options<Name>, faults: Faults) => Promise<string>): Promise<void> {
  await verdict({ ...COMMON, ...defaults }, async ({ engine, ...options }, faults) => {
    if (!ENGINES.includes(engine as string)) throw new Error(`--engine is one of ${ENGINES.join(', ')}`)
    return await run({ engine, ...options } as unknown as Options<Name>, faults)
  })
}

/** Whether everybody has what was acknowledged. */
export function isComplete (seen: readonly Seen[], { acknowledged }: Outcome): boolean {
  const expected = numbersOf(acknowledged)
  return seen.every(({ steps }) => {
    const there = new Set(numbersOf(steps))
    return expected.every((n) => there.has(n))
  })
}

/** What was acknowledged is there, nothing twice; and these words were told, in this order. */
export function expectAll (faults: Faults, seen: readonly Seen[], { acknowledged }: Outcome, words: readonly string[] = []): void {
  const expected = numbersOf(acknowledged)
  for (const { steps, clients } of seen) {
    const numbers = numbersOf(steps)
    const there = new Set(numbers)
    const missing = expected.filter((n) => !there.has(n))
    const told = wordsOf(steps)
    faults.expect(missing.length === 0, `${clients} clients lack ${missing.length} that were acknowledged: ${missing.slice(0, 5).join()}…`)
    faults.expect(numbers.length === there.size, `${clients} clients have ${numbers.length - there.size} twice`)
    faults.expect(told.join() === words.join(), `${clients} clients were told "${told.join()}", not "${words.join()}"`)
  }
}

/** Everybody has seen the same, in one order. */
export function expectSame (faults: Faults, seen: readonly Seen[]): void {
  faults.expect(seen.length === 1, `there are ${seen.length} histories: ${seen.slice(0, 4).map(({ steps, clients }) => `${clients} × ${JSON.stringify(steps).slice(0, 200)}`).join(' | ')}`)
}
