/** Fields as they are given: what they may be called, and what errors call their values. */
import { PST_ERR_FIELD } from '../errors.ts'

/**
 * One whose name is mistyped would be left out in silence.
 * @param subject what they are given as
 * @throws PST_ERR_FIELD
 */
export function checkFieldNames (subject: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null) throw new PST_ERR_FIELD(subject, 'an object', describe(given))
  for (const name in given) {
    if (!known.includes(name)) throw new PST_ERR_FIELD(name, `one of ${known.join(', ')}`, 'an unknown field')
  }
}

/** In an error. */
export function describe (value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? value.slice(0, 40) + '…' : value)
  return typeof value === 'object' && value !== null ? 'an object' : typeof value === 'function' ? 'a function' : String(value)
}
