/** The seam between a connection and what carries it. */
import type { Frame, SharedBytes } from '../wire/frame.ts'

export type TransportName = 'http1' | 'http2' | 'response'

/** The slack of what takes bytes in a later turn: TLS, HTTP/2. */
export const LATER_SLACK = 16 * 1024

export interface Transport {
  /**
   * - `http1`: chunks written straight to the socket
   * - `http2`: the stream, unframed
   * - `response`: a plain `write` on the response: HTTP/1.0, a pipelined response that waits for its turn, `inject()`
   */
  readonly name: TransportName
  /** Bytes given and not yet taken by the operating system. */
  readonly queued: number
  /** So much may be queued although the client reads: where bytes are never taken at once. */
  readonly slack: number
  /** Bytes taken so far; it grows while the client reads. */
  readonly taken: number
  /** Whether bytes can still be given. False once the other side has closed its half. */
  readonly writable: boolean
  /** Gives text of `size` bytes in UTF-8; `written` is called when it was taken or can't be any more. */
  writeText: (text: string, size: number, written?: () => void) => void
  /** Gives bytes, like `writeText`. */
  writeBytes: (bytes: Uint8Array, written?: () => void) => void
  /** Gives what many connections get, like `writeText`. */
  writeFrame: (frame: Frame, written?: () => void) => void
  /** Ends the response properly behind what was given. `last`: nothing shall follow on its socket. */
  end: (last: boolean) => void
  /** Cuts the connection without a proper end. */
  destroy: () => void
}

/** One that gives bytes on as they are. */
export interface PlainTransport extends Transport {
  writeFrame: (shared: SharedBytes, written?: () => void) => void
}
