/**
 * `pastelli/client`: a stream that comes back, in browsers and in Node.
 * @module pastelli/client
 */
import { checkOptions, refused } from './options.ts'
import { overFetch } from './over-fetch.ts'
import { overWebSocket, webSocketOf } from './over-web-socket.ts'
import { Stream } from './stream.ts'
import type { Address, ClientStream, ConnectOptions, WithGap } from './types.ts'

const FOR_FETCH = ['method', 'headers', 'body', 'credentials', 'fetch'] as const

/**
 * Opens a stream that comes back by itself, behind what it has received, until it is closed or refused.
 * @typeParam Events the data of each type of event: `{ message: Price, note: { text: string } }`; `TopicEvents<TopicMap, 'prices'>` for topics
 * @param address relative to the page; `http:` for a WebSocket, too
 * @throws StreamError PST_ERR_OPTION; TypeError for what is no URL
 */
export function connect<Events extends object = Record<string, unknown>> (address: Address, options: ConnectOptions = {}): ClientStream<WithGap<Events>> {
  const { transport = 'fetch' } = options
  if (transport !== 'fetch' && transport !== 'websocket') throw refused('transport', 'fetch or websocket')
  checkOptions(address, options)
  if (transport === 'websocket') {
    for (const name of FOR_FETCH) if (options[name] !== undefined) throw refused(name, 'left out: a WebSocket can\'t have it')
    if (webSocketOf(options) === undefined) throw refused('WebSocket', 'given, since there is no global one here')
  }
  return new Stream(address, transport === 'fetch' ? overFetch : overWebSocket, options) as unknown as ClientStream<WithGap<Events>>
}

export { StreamError, type StreamErrorCode } from './errors.ts'
export type { Address, ClientEvent, ClientState, ClientStream, ConnectOptions, Gap, RetryOptions, StateDetail, TopicEvents, WebSocketLike, WithGap } from './types.ts'
