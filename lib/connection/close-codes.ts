/**
 * With which code a WebSocket closes for each reason.
 * @see https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
 */
import type { CloseReason } from './reasons.ts'

export const CLOSE_CODES: Readonly<Record<CloseReason, number>> = {
  client: 1000,
  server: 1000,
  shutdown: 1001,   // going away
  overflow: 1013,   // try again later
  expired: 1008,    // policy violation: there is none for credentials that ran out
  timeout: 3008,    // timeout, as registered
  error: 1011       // internal error
}

/** A message is larger than may be. */
export const TOO_LARGE = 1009

// [RFC 6455, 7.4] the others are reserved, or say that there was no code.
export function isCloseCode (code: unknown): code is number {
  return Number.isInteger(code) && (((code as number) >= 1000 && (code as number) <= 1014 && ![1004, 1005, 1006].includes(code as number)) || ((code as number) >= 3000 && (code as number) <= 4999))
}
