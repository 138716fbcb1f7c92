/** The options that logs on engines have in common, with their defaults and rules. */
import { PST_ERR_OPTION } from '../lib/errors.ts'
import { show } from '../lib/options.ts'

export interface LogOptions {
  /** Apps with the same name share a log. @default 'pastelli' */
  name?: string | undefined
  /** At least so many of the newest events are retained. @default 100000 */
  events?: number | undefined
  /** ms. Older ones are not retained. @default 86400000, a day */
  age?: number | undefined
  /** ms. After so long without the engine a publish fails with PST_ERR_LOG; so does a read. @default 5000 */
  timeout?: number | undefined
  /** ms. A process that has died without a goodbye is noticed by the others after so long, or half as long again at most. @default 10000 */
  nodeTimeout?: number | undefined
  /** Of the newest events, so many are in this process's memory as well. @default { events: 10_000, bytes: 4 * 2 ** 20 } */
  memory?: { events?: number | undefined, bytes?: number | undefined } | undefined
}

const DEFAULTS = { name: 'pastelli', events: 100_000, age: 86_400_000, timeout: 5_000, nodeTimeout: 10_000, memory: {} }
const MEMORY = { events: 10_000, bytes: 4 * 1024 * 1024 }

// What a timer of Node can hold.
const MAX_TIMEOUT = 2 ** 31 - 1

/**
 * Checked and completed; `mirror` is what is kept in memory.
 * @param rule what a name has to be
 * @throws PST_ERR_OPTION
 */
export function complete<Given extends LogOptions> (log: string, given: Given, rule: { says: string, pattern: RegExp }) {
  if (typeof given !== 'object' || given === null) throw new PST_ERR_OPTION(log, 'given an object', show(given))
  checkNames(given, ['client', ...Object.keys(DEFAULTS)])
  const options = { ...DEFAULTS, ...defined<LogOptions>(given) }
  if (typeof options.name !== 'string' || !rule.pattern.test(options.name)) throw new PST_ERR_OPTION('name', rule.says, show(options.name))
  if (typeof options.memory !== 'object' || options.memory === null) throw new PST_ERR_OPTION('memory', 'an object', show(options.memory))
  checkNames(options.memory, Object.keys(MEMORY))
  const memory = { ...MEMORY, ...defined(options.memory) }
  const counts = [['events', options.events], ['age', options.age], ['timeout', options.timeout], ['nodeTimeout', options.nodeTimeout], ['memory.events', memory.events], ['memory.bytes', memory.bytes]] as const
  for (const [name, value] of counts) {
    if (!Number.isSafeInteger(value) || value < 1) throw new PST_ERR_OPTION(name, 'a positive integer', show(value))
  }
  for (const name of ['timeout', 'nodeTimeout'] as const) {
    if (options[name] > MAX_TIMEOUT) throw new PST_ERR_OPTION(name, `an integer of milliseconds from 1 to ${MAX_TIMEOUT}`, show(options[name]))
  }
  const { name, events, age, timeout, nodeTimeout } = options
  return { name, events, age, timeout, nodeTimeout, mirror: { events: Math.min(memory.events, events), bytes: memory.bytes, age } }
}

function checkNames (options: object, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new PST_ERR_OPTION(name, `one of ${names.join(', ')}`, 'an unknown option')
  }
}

function defined<Options extends object> (options: Options): { [Name in keyof Options]: Exclude<Options[Name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}
