/** What a transport tells of one attempt. */
import type { ClientState, ConnectOptions, StateDetail } from './types.ts'

/** One attempt, as a transport is given it. */
export interface Link {
  url: URL
  options: ConnectOptions
  lastEventId: string | undefined
  /** Aborts when the attempt is given up. */
  signal: AbortSignal
  /** The server has answered with a stream. */
  opened: () => void
  /** Its state, where there are attempts within this one. */
  became: (state: ClientState, detail: StateDetail) => void
  /** It has ended for good, where there are attempts within this one. */
  closed: (error?: unknown) => void
  /** Something came, if only a heartbeat. */
  heard: () => void
  /** From now on silence means that nobody is there. */
  beats: () => void
  /**
   * An event came.
   * @param data answers the data
   */
  received: (event: string, data: () => unknown, id: string | undefined) => void
  /** The position moved without an event. */
  moved: (id: string) => void
  /** The server's delay of the next attempt, ms. */
  delayed: (retry: number) => void
  /** Whether as much waits to be read as may. */
  isFull: () => boolean
  /** Resolves when there is room, or the attempt is given up. */
  room: () => Promise<void>
}

/**
 * Resolves when the server has ended the stream: true, or false if it said that there is no more. Rejects if it failed. Leaves
 * nothing behind.
 */
export interface Transport {
  (link: Link): Promise<boolean>
  /** Whether what comes can't be made to wait. */
  isPushed?: boolean
  /** @throws StreamError PST_ERR_OPTION for what it can't do with these */
  check?: (options: ConnectOptions) => void
}
