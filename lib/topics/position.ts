/** Positions in a log, as clients carry them in `Last-Event-ID`: `epoch:offset`. */

export interface Position {
  /** Names one life of a log: a log that lost what it held starts another. */
  epoch: string
  /** Grows from record to record; 0 is before the first. */
  offset: number
}

// Longer ones, or other characters, would make a cross-origin reconnect ask for leave first.
const POSITION = /^([\w.-]{1,64}):(0|[1-9]\d{0,15})$/

export function formatPosition (epoch: string, offset: number): string {
  return `${epoch}:${offset}`
}

/** Null for what was never a position. */
export function parsePosition (text: string): Position | null {
  const match = POSITION.exec(text)
  if (match === null) return null
  const [, epoch = '', digits] = match
  const offset = Number(digits)
  return Number.isSafeInteger(offset) ? { epoch, offset } : null
}
