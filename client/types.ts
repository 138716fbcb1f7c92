/** What users of the client see: events by their map, options, the stream. */
import type { Gap as ServerGap } from '../lib/topics/gap.ts'
import type { Transport } from './link.ts'

/** Told where the server's log does not reach back to what this client saw last: fetch the state anew. */
export interface Gap extends ServerGap {
  /** The position where the stream goes on. */
  to: string
}

/** The events of a stream whose topics these are, as they are published unless `publish` names an event: as messages. */
export type TopicEvents<Map extends object, Topic extends keyof Map = keyof Map> = { message: Map[Topic] }

/** The events of a map from their types to their data, and gaps. */
export type WithGap<Events> = Events extends { gap: unknown } ? Events : Events & { gap: Gap }

/** One event. Of a map with several, the type tells the data. */
export type ClientEvent<Events, Type extends keyof Events & string = keyof Events & string> = Type extends unknown
  ? {
      /** `message` unless the server said otherwise. */
      readonly event: Type
      /** Parsed when it is asked for, once. */
      readonly data: Events[Type]
      /** The event's own id, undefined if it has none. */
      readonly id: string | undefined
    }
  : never

/**
 * - `connecting`: asks the server
 * - `open`: the server has answered with a stream
 * - `waiting`: it ended or failed; it is asked again after a while
 * - `paused`: the page is hidden, with `pauseHidden`
 * - `closed`: for good
 */
export type ClientState = 'connecting' | 'open' | 'waiting' | 'paused' | 'closed'

/** What is known of a change of state. */
export interface StateDetail {
  /** What went wrong, with `waiting` and `closed`; nothing did if the server has ended the stream, or you have. */
  error?: unknown
  /** With `waiting`: the time until the server is asked again, ms. */
  delay?: number
}

/** How long to wait until the server is asked again, at random up to a bound. */
export interface RetryOptions {
  /** The bound of the first delay, ms, until the server tells another; it doubles with each failure. @default 1000 */
  delay?: number
  /** The bound of all delays, ms, unless the server asks for more. @default 30000 */
  maxDelay?: number
  /** How many failures in a row are followed by another attempt. @default Infinity */
  attempts?: number
}

/** What is needed of a WebSocket: the browser's, Node's from 22 up, or that of ws. */
export interface WebSocketLike {
  binaryType: string
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  close: () => void
}

type Awaitable<Value> = Value | PromiseLike<Value>

/** What `connect` takes. */
export interface ConnectOptions {
  /** `webSocket` of `pastelli/client/websocket`. @default an event stream by `fetch` */
  transport?: Transport
  /** Added to the address as `topic`, once for each: the server's route says what it makes of them. */
  topics?: readonly string[]
  /** @default 'GET' */
  method?: string
  /** Or a function, sync or async, which is asked at every attempt: for tokens that expire. */
  headers?: RequestInit['headers'] | (() => Awaitable<RequestInit['headers']>)
  /** Sent again with every attempt, so one that can be read but once ends the stream there. Or a function, which is asked at every attempt. */
  body?: RequestInit['body'] | (() => Awaitable<RequestInit['body']>)
  /** @default 'same-origin' */
  credentials?: RequestInit['credentials']
  /** Closes the stream when it aborts. */
  signal?: AbortSignal
  /** Where to start: the id of the last event that is known already. */
  lastEventId?: string
  /** Asks again when nothing has come for so long, heartbeats counted, ms; 0: waits for ever. @default 45000 */
  heartbeatTimeout?: number
  /** The bound of the first delay, ms, or more about it. */
  retry?: number | RetryOptions
  /** Whether to ask again when the server has ended the stream properly. @default true for a GET of an event stream */
  reopen?: boolean
  /** Leaves while the page is hidden, and goes on where it was when it is seen again. @default false */
  pauseHidden?: boolean
  /** How many events wait for who iterates, at most, until no more is read. @default 256 */
  buffer?: number
  /** Makes data of the text of an event. @default what JSON makes of it, the text itself where it is none */
  parse?: (text: string, event: string) => unknown
  /** Something was missed. Also an event of the type `gap`. */
  onGap?: (gap: Gap) => void
  /** It has another state. */
  onState?: (state: ClientState, detail: StateDetail) => void
  /**
   * A listener failed, or the stream did while nobody iterates.
   * @default `reportError`; where there is none, it is thrown where nobody catches it
   */
  onError?: (error: unknown) => void
  /** @default the global one */
  fetch?: typeof fetch
  /** @default the global one, which Node has from 22 up */
  WebSocket?: new (url: string) => WebSocketLike
}

/** Or a function, sync or async, which is asked at every attempt: for tokens in the address of a WebSocket. */
export type Address = string | URL | (() => Awaitable<string | URL>)

/**
 * Iterating gives the events until the stream is closed, and throws the error that closed it; breaking off the loop closes it.
 * Who iterates too slowly makes the stream wait: what has not been read stays with the server. Several iterators share the events.
 */
export interface ClientStream<Events> extends AsyncIterable<ClientEvent<Events>> {
  readonly state: ClientState
  /** The id of the last event received: where another `connect` would go on. */
  readonly lastEventId: string | undefined
  /** What closed the stream; undefined if the server or you did so properly. */
  readonly error: unknown
  /** Calls the listener for each event of the type. */
  on: <Type extends keyof Events & string>(event: Type, listener: (event: ClientEvent<Events, Type>) => void) => this
  /** Does not call it any more. */
  off: <Type extends keyof Events & string>(event: Type, listener: (event: ClientEvent<Events, Type>) => void) => this
  /** Ends it for good. What waits to be read is dropped. */
  close: () => void
}
