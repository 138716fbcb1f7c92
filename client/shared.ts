/**
 * `pastelli/client/shared`: one connection for all tabs.
 * @module pastelli/client/shared
 */
import { refused } from './errors.ts'
import { checkOptions } from './options.ts'
import { overFetch } from './over-fetch.ts'
import { resolveUrl, Stream } from './stream.ts'
import { type LockManager, overTabs } from './tabs.ts'
import type { Address, ClientStream, ConnectOptions, WithGap } from './types.ts'

/** What `connectShared` takes. */
export interface SharedOptions extends Omit<ConnectOptions, 'transport' | 'WebSocket'> {
  /**
   * Tabs of one origin that say the same share a connection, so it names what comes over it: if headers or a body decide that, put what they say
   * into it, such as the user's id.
   * @default the address, if it is no function
   */
  name?: string
}

/**
 * A stream as `connect` opens it, over one connection for all tabs: one of them has it, and the others hear what comes. When that one is closed, stands
 * still or reads too slowly, another goes on where it is itself. Where there are no Web Locks, as on pages without TLS, each tab has its own.
 * @throws StreamError PST_ERR_OPTION; TypeError for what is no URL
 */
export function connectShared<Events extends object = Record<string, unknown>> (address: Address, options: SharedOptions = {}): ClientStream<WithGap<Events>> {
  checkOptions(address, options)
  if (typeof address === 'function' && options.name === undefined) throw refused('name', 'given, since the address is a function')
  const { name = typeof address === 'function' ? '' : resolveUrl(address).href } = options
  const { locks } = (globalThis as { navigator?: { locks?: LockManager } }).navigator ?? {}
  return new Stream(address, locks === undefined ? overFetch : overTabs(locks, `pastelli 1 ${name}`, address), options) as unknown as ClientStream<WithGap<Events>>
}
