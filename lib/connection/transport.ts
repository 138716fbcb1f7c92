/** The seam between a connection and what carries it. */
import type { Frame, SharedBytes } from '../wire/frame.ts'
import type { CloseReason } from './reasons.ts'

/**
 * What carries a connection.
 * - `http1`: chunks written straight to the socket
 * - `http2`: the stream, unframed
 * - `websocket`: frames written straight to the upgraded socket
 * - `longpoll`: lines that wait for the next poll of a client of Phoenix
 * - `response`: a plain `write` on the response: HTTP/1.0, a pipelined response that waits for its turn, `inject()`
 */
export type TransportName = 'http1' | 'http2' | 'response' | 'websocket' | 'longpoll'

/** The slack of what takes bytes in a later turn: TLS, HTTP/2. */
export const LATER_SLACK = 16 * 1024

export interface Transport {
  readonly name: TransportName
  /** Bytes given and not yet taken by the operating system. */
  readonly queued: number
  /** So much may be queued although the client reads: where bytes are never taken at once. */
  readonly slack: number
  /** Bytes taken so far; it grows while the client reads. */
  readonly taken: number
  /** Whether bytes can still be given. False once the other side has closed its half. */
  readonly writable: boolean
  /** Gives text of `size` bytes, as it is written; `written` is called when it was taken or can't be any more. */
  writeText: (text: string, size: number, written?: () => void) => void
  /** Gives bytes, like `writeText`. */
  writeBytes: (bytes: Uint8Array, written?: () => void) => void
  /** Gives what many connections get, like `writeText`. */
  writeFrame: (frame: Frame, written?: () => void) => void
  /** Ends the response properly behind what was given. `last`: nothing shall follow on its socket. */
  end: (last: boolean, reason: CloseReason) => void
  /** Cuts the connection without a proper end. */
  destroy: (reason: CloseReason) => void
  /**
   * Where the other side can be asked for a sign of life: asks it when nothing came from it for so long, ms; 0: never.
   * Answers that it was asked, or why it has to be given up.
   */
  probe?: (now: number, heartbeat: number) => 'asked' | 'client' | 'timeout' | null
  /** Where the app's handler takes what the app sends to the connection itself. Answers false if there is no room. */
  inform?: ((message: unknown) => boolean) | null
}

/** One that gives bytes on as they are. */
export interface PlainTransport extends Transport {
  writeFrame: (shared: SharedBytes, written?: () => void) => void
  end: (last: boolean) => void
}
