/** What options of both plugins have in common. */
import { PST_ERR_OPTION } from '../lib/errors.ts'

// Fastify's, which has taken them already.
const FASTIFYS = ['prefix', 'logLevel', 'logSerializers']

/** @throws PST_ERR_OPTION */
export function refuseOthers (options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name) && !FASTIFYS.includes(name))
  if (unknown !== undefined) throw new PST_ERR_OPTION(unknown, known.join(' or '), 'an unknown option')
}
