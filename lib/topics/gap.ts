/** The event that tells a client that it missed something. */
import type { Format } from '../wire/format.ts'

export const GAP_REASONS = ['trimmed', 'foreign', 'malformed', 'overflow'] as const

/**
 * - `trimmed`: the log does not reach back to where the client was
 * - `foreign`: the position is of another life of the log, or beyond its head
 * - `malformed`: it never was a position
 * - `overflow`: the client took so little that the log was trimmed behind it
 */
export type GapReason = typeof GAP_REASONS[number]

export interface Gap {
  reason: GapReason
  /** The position where the client was, as far as it is known. */
  from: string | null
}

/** The type of the event. */
const GAP = 'gap'

/** @param to the position where the stream goes on */
export function encodeGap (format: Format, { reason, from }: Gap, to: string): string {
  return format.encode({ reason, from, to }, { event: GAP, id: to })
}
