/** What a connection is told when it is made: of the response that it is going to take over, and of who is at the other end. */
import type { Coding } from './coding.ts'
import type { Choice } from './formats.ts'
import type { Log } from './host.ts'

/** What a connection asks of the response that it is going to take over. */
export interface Opening {
  /**
   * The take-over shall start at the end of this tick.
   * @param events whether the response has to be of a format that has events
   */
  begin: (events: boolean) => void
  /** The response will have events, but need not start yet. */
  declare: () => void
  /** The content type that the app has set so far. */
  readonly contentType: unknown
  /** The take-over shall start now: too much waits for it. */
  start: () => void
  /** Whether the take-over has been given to the app's hooks: nothing else can be answered any more. */
  readonly isUnderWay: boolean
  /** What feeds the stream has failed: answers with that, unless the handler still runs and can throw it. Says whether. */
  fail: (error: unknown) => boolean
  /** There will be no take-over: cut the socket. */
  abandon: () => void
}

/** Who is at the other end. */
export interface Origin {
  /** The route's pattern, such as `/users/:id`. */
  route: string
  /** The `Last-Event-ID` header, else the `lastEventId` query parameter. */
  lastEventId: string | null
  /** What it gets of the route's formats. */
  choice: Choice
  /** Whether another client might get another one. */
  isNegotiated: boolean
  /** What its stream is compressed with; null: not at all. */
  coding: Coding | null
  /** Of a WebSocket, the subprotocol that was agreed on. */
  protocol: string | null
  /** What `Limits` counts this client by. */
  key: string
  /** Fastify's, if somebody will ask it later what the client may do; else null, so that it can be forgotten. */
  request: unknown
  /** The request's own logger. */
  log: Log
}
