/** What `app.register(inspector, options)` takes, and what is made of it. */
import type { onRequestHookHandler } from 'fastify'
import { PST_ERR_INSECURE, PST_ERR_OPTION } from '../../lib/errors.ts'
import { show } from '../../lib/options.ts'

/** Besides these, Fastify's own `prefix`, `logLevel` and `logSerializers`. */
export interface InspectorOptions {
  /**
   * Who may look, and close connections: hooks that run ahead of every route of the inspector, in this order. One that answers, throws
   * or calls back with an error refuses.
   */
  auth?: onRequestHookHandler | readonly onRequestHookHandler[] | undefined
  /**
   * Everybody may: for a server that nobody else can reach. Only without `auth`.
   * @default false
   */
  insecure?: boolean | undefined
  /** Between two looks at the server while somebody has the page open, ms. @default 1000 */
  interval?: number | undefined
}

export interface Parsed {
  readonly auth: readonly onRequestHookHandler[]
  readonly interval: number
}

const OWN = ['auth', 'insecure', 'interval']

// Fastify's, which has taken them already.
const FASTIFYS = ['prefix', 'logLevel', 'logSerializers']

/** @throws PST_ERR_INSECURE, PST_ERR_OPTION */
export function parse (options: InspectorOptions): Parsed {
  for (const name of Object.keys(options)) {
    if (!OWN.includes(name) && !FASTIFYS.includes(name)) throw new PST_ERR_OPTION(name, `one of ${OWN.join(', ')}`, 'an unknown option')
  }
  const { auth, insecure = false, interval = 1_000 } = options
  if (typeof insecure !== 'boolean') throw new PST_ERR_OPTION('insecure', 'true or false', show(insecure))
  if (!Number.isInteger(interval) || interval < 100 || interval > 60_000) throw new PST_ERR_OPTION('interval', 'an integer of milliseconds from 100 to 60000', show(interval))
  if (auth === undefined) {
    if (!insecure) throw new PST_ERR_INSECURE()
    return { auth: [], interval }
  }
  if (insecure) throw new PST_ERR_OPTION('insecure', 'left out where there is auth', 'true')
  const hooks = Array.isArray(auth) ? auth as readonly onRequestHookHandler[] : [auth as onRequestHookHandler]
  if (hooks.length === 0 || !hooks.every((hook) => typeof hook === 'function')) throw new PST_ERR_OPTION('auth', 'an onRequest hook or several', show(auth))
  return { auth: hooks, interval }
}
