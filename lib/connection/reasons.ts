/** Why a connection ended: a small vocabulary, the same on the signal, the registry's event, the log line and the counts. */
import { PST_ERR_REASON } from '../errors.ts'

export const CLOSE_REASONS = [
  /** They left. */
  'client',
  /** We closed. */
  'server',
  /** The server shuts down. */
  'shutdown',
  /** Too slow: a send found more than `maxBuffered` queued, or the log was trimmed behind it. */
  'overflow',
  /** Its maximum age, or what gave it the right to be open, ran out. */
  'expired',
  /** A write made no progress before its deadline, or a ping was not answered. */
  'timeout',
  /** A handler or a linked task failed. */
  'error'
] as const

/** Why a connection ended; the first reason wins. */
export type CloseReason = typeof CLOSE_REASONS[number]

/** @throws PST_ERR_REASON */
export function checkReason (reason: CloseReason): CloseReason {
  if (!CLOSE_REASONS.includes(reason)) throw new PST_ERR_REASON(CLOSE_REASONS.join(', '), String(reason))
  return reason
}
