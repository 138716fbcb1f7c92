/**
 * `pastelli/client`: a stream that comes back, in browsers and in Node.
 * @module pastelli/client
 */
import { refused } from './errors.ts'
import { checkOptions } from './options.ts'
import { overFetch } from './over-fetch.ts'
import { Stream } from './stream.ts'
import type { Address, ClientStream, ConnectOptions, WithGap } from './types.ts'

/**
 * Opens a stream that comes back by itself, behind what it has received, until it is closed or refused.
 * @typeParam Events the data of each type of event: `{ message: Price, note: { text: string } }`; `TopicEvents<TopicMap, 'prices'>` for topics
 * @param address relative to the page
 * @throws StreamError PST_ERR_OPTION; TypeError for what is no URL
 */
export function connect<Events extends object = Record<string, unknown>> (address: Address, options: ConnectOptions = {}): ClientStream<WithGap<Events>> {
  const { transport = overFetch } = options
  if (typeof transport !== 'function') throw refused('transport', 'left out, or webSocket of pastelli/client/websocket')
  checkOptions(address, options)
  transport.check?.(options)
  return new Stream(address, transport, options) as unknown as ClientStream<WithGap<Events>>
}

export { StreamError, type StreamErrorCode } from './errors.ts'
export type { Link, Transport } from './link.ts'
export type { Address, ClientEvent, ClientState, ClientStream, ConnectOptions, Gap, RetryOptions, StateDetail, TopicEvents, WebSocketLike, WithGap } from './types.ts'
