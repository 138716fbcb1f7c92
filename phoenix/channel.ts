/** What an app says of a channel: what becomes of those who join its topics, and of what they send. */
import type { Connection } from '../lib/connection/connection.ts'
import type { Sent } from '../lib/connection/sender.ts'
import type { CloseReason } from '../lib/connection/reasons.ts'

/** What is said of success or of failure: anything that JSON has a form for, or bytes. */
export type Outcome = { ok: unknown, error?: never } | { error: unknown, ok?: never }

/** What `handleIn` answers: a reply, the end of the membership, both, or nothing. */
export interface Answer {
  reply?: Outcome | undefined
  /** Ends the membership: the client is told `phx_close`, and `terminate` this reason. */
  stop?: string | undefined
}

/**
 * Why a membership ended:
 * - `left`: the client left the topic
 * - `rejoined`: the client joined the topic once more
 * - `forbidden`: `canSubscribe` said no, though `join` had said yes
 * - `error`: the channel failed
 * - what `stop` said
 * - why the connection ended
 */
export type EndReason = 'left' | 'rejoined' | CloseReason | (string & {})

type Maybe<Value> = Value | Promise<Value>

/**
 * A channel. Its callbacks are sync or async; those of one membership run one after the other, in the order of the
 * client's messages. One that throws ends the membership: the client is told `phx_error`, and joins again.
 */
export interface Channel<State extends object = object> {
  /**
   * A client wants to join a topic.
   * @param payload what the client gave
   * @returns `{ ok: response }`: it is in; `{ error: response }`: it is not, and the client is told why
   */
  join (topic: string, payload: unknown, socket: ChannelSocket<State>): Maybe<Outcome>
  /**
   * A member pushed an event.
   * @param payload JSON as it was parsed, or a Buffer
   */
  handleIn? (event: string, payload: unknown, socket: ChannelSocket<State>): Maybe<Answer | void>
  /** What the app gave to `socket.info`. */
  handleInfo? (message: unknown, socket: ChannelSocket<State>): Maybe<Pick<Answer, 'stop'> | void>
  /** The membership has ended: called once for each join that was answered `ok`, after all else. */
  terminate? (reason: EndReason, socket: ChannelSocket<State>): Maybe<void>
  /**
   * Whether members can be tracked: those who join are then sent `presence_state`.
   * @default false
   */
  presence?: boolean
}

/** One membership: a client that has joined a topic. */
export interface ChannelSocket<State extends object = object> {
  readonly topic: string
  /** The app's own; at first a copy of what `connect` answered. */
  state: State
  /** Aborts when the membership ends, with the `EndReason`. */
  readonly signal: AbortSignal
  /** What carries it, and the client's other memberships. */
  readonly connection: Connection
  /**
   * Sends to this member.
   * @param payload JSON or bytes; default `{}`
   * @returns false if the membership has ended
   * @throws PST_ERR_DATA; PST_ERR_NOT_JOINED before `join` has answered
   */
  push: (event: string, payload?: unknown) => Sent
  /**
   * Sends to all members of the topic.
   * @returns what `topics.publish` does
   * @throws PST_ERR_DATA
   */
  broadcast: (event: string, payload?: unknown) => string | Promise<string>
  /** Sends to all other members of the topic. */
  broadcastFrom: (event: string, payload?: unknown) => string | Promise<string>
  /**
   * Gives a message to `handleInfo`, behind what waits already; called in `join`, once that has answered.
   * @returns false if the membership has ended
   */
  info: (message: unknown) => boolean
  /**
   * Makes the member present under this key, until it leaves: several members may share one. Tracked again, it has a new meta.
   * @param meta JSON
   * @throws PST_ERR_DATA; PST_ERR_ARGUMENT where the channel has no `presence`
   */
  track: (key: string, meta?: object) => void
  /** Makes it absent. */
  untrack: (key: string) => void
}
