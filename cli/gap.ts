/** The event by which a Pastelli tells that events are missing. */
import { isJson } from './ndjson.ts'

export interface Gap { reason: string, from: string | null, to: string }

/** Undefined for every other event, also one of somebody else's that has the name. */
export function gapOf (event: string | undefined, data: unknown): Gap | undefined {
  if (event !== 'gap') return undefined
  const value = typeof data === 'string' && isJson(data) ? JSON.parse(data) : data
  const { reason, from, to } = (value ?? {}) as Partial<Gap>
  return typeof reason === 'string' && typeof to === 'string' ? { reason, from: from ?? null, to } : undefined
}
