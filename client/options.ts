/** What no stream can be opened with. */
import { refused } from './errors.ts'
import { resolveUrl } from './stream.ts'
import type { Address, ConnectOptions } from './types.ts'

/** @throws StreamError PST_ERR_OPTION; TypeError for what is no URL */
export function checkOptions (address: Address, { heartbeatTimeout = 0, buffer = 1 }: ConnectOptions): void {
  if (!(heartbeatTimeout >= 0)) throw refused('heartbeatTimeout', 'a time in ms, or 0')
  if (!(buffer >= 1)) throw refused('buffer', 'a number of events')
  if (typeof address !== 'function') resolveUrl(address)
}
