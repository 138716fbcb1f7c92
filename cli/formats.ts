/** The formats of streams that the command reads. */

export const EVENT_STREAM = 'text/event-stream'

/** What to accept: the one, else the other. */
export const ACCEPT = `${EVENT_STREAM}, application/x-ndjson;q=0.9, application/jsonl;q=0.8`

const NDJSON = /^application\/(?:x-)?(?:ndjson|jsonl|jsonlines)\b/i

/** Undefined for what is no stream. */
export function formatOf (contentType: string | null | undefined): 'event-stream' | 'ndjson' | undefined {
  if (contentType?.toLowerCase().startsWith(EVENT_STREAM)) return 'event-stream'
  return NDJSON.test(contentType ?? '') ? 'ndjson' : undefined
}
