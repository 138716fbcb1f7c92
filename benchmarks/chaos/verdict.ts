/** The end of each program here: one line, PASS or FAIL with what is wrong, and the exit code. */
import { parseArgs } from 'node:util'
import type { Seen } from './clients.ts'
import type { EngineName } from './engine.ts'
import { numbersOf, wordsOf } from './history.ts'
import type { Outcome } from './publisher.ts'

export type Options<Name extends string> = Record<Name, number> & { engine: EngineName, clients: number, nodes: number, rate: number, timeout: number, seed: number }

const COMMON = { clients: 1_000, nodes: 3, rate: 20, timeout: 5_000, seed: 1 }
const ENGINES: readonly string[] = ['redis', 'nats'] satisfies EngineName[]

/** What is wrong, in words. None: it is as it should be. */
export class Faults {
  readonly found: string[] = []

  expect (isRight: boolean, what: string): void {
    if (!isRight) this.found.push(what)
  }
}

/**
 * Runs a program with the options of its command line, which are numbers, and `--engine`.
 * @param run answers the figures
 */
export async function chaos<Name extends string> (defaults: Record<Name, number>, run: (options: Options<Name>, faults: Faults) => Promise<string>): Promise<void> {
  const numbers = { ...COMMON, ...defaults }
  const texts = Object.entries(numbers).map(([name, value]) => [name, { type: 'string', default: String(value) }] as const)
  const { values } = parseArgs({ options: { engine: { type: 'string', default: 'redis' }, ...Object.fromEntries(texts) } })
  const options = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, name === 'engine' ? value : Number(value)])) as Options<Name>
  if (!ENGINES.includes(options.engine)) throw new Error(`--engine is one of ${ENGINES.join(', ')}`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { process.exit(1) })
  const faults = new Faults()
  const began = performance.now()
  let figures: string
  try {
    figures = await run(options, faults)
  } catch (err) {
    figures = 'it came to no end'
    faults.found.push(err instanceof Error ? `${err.message}${err.cause instanceof Error ? `: ${err.cause.message}` : ''}` : String(err))
  }
  const isRight = faults.found.length === 0
  const seconds = Math.round((performance.now() - began) / 1_000)
  console.log(`${isRight ? 'PASS' : 'FAIL'}: ${options.engine}, seed ${options.seed}, ${seconds} s; ${[...faults.found.slice(0, 10), figures].join('; ')}`)
  process.exitCode = isRight ? 0 : 1
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
