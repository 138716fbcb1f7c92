/** The end of a program that passes or fails: one line, PASS or FAIL with what is wrong, and the exit code. */
import { parseArgs } from 'node:util'

/** What the command line says: a number where the default is one, else text. */
export type Options<Defaults> = { -readonly [Name in keyof Defaults]: Defaults[Name] extends number ? number : string }

/** What is wrong, in words. None: it is as it should be. */
export class Faults {
  readonly found: string[] = []

  expect (isRight: boolean, what: string): void {
    if (!isRight) this.found.push(what)
  }
}

/**
 * Runs a program with the options of its command line.
 * @param defaults the options that there are
 * @param run answers the figures
 */
export async function verdict<Defaults extends Record<string, number | string>> (defaults: Defaults, run: (options: Options<Defaults>, faults: Faults) => Promise<string>): Promise<void> {
  const options = readOptions(defaults)
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
  const texts = Object.values<number | string>(options).filter((value) => typeof value === 'string')
  const seeds = 'seed' in options ? [`seed ${options['seed']}`] : []
  console.log(`${isRight ? 'PASS' : 'FAIL'}: ${[...texts, ...seeds, `${seconds} s`].join(', ')}; ${[...faults.found.slice(0, 10), figures].join('; ')}`)
  process.exitCode = isRight ? 0 : 1
}

function readOptions<Defaults extends Record<string, number | string>> (defaults: Defaults): Options<Defaults> {
  const known = Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: String(value) }] as const)
  const { values } = parseArgs({ options: Object.fromEntries(known) })
  return Object.fromEntries(Object.entries(values).map(([name, value]) => {
    if (typeof defaults[name] === 'string') return [name, value]
    const number = Number(value)
    if (!Number.isFinite(number)) throw new Error(`--${name} is a number, not ${String(value)}`)
    return [name, number]
  })) as Options<Defaults>
}
