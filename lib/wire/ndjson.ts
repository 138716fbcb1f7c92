/**
 * JSON, one value a line. A line is the data of an event; of one that has a type or an id it is `{ event, id, data }`,
 * with what it has.
 * @see https://github.com/ndjson/ndjson-spec
 */
import { checkFields, encodeData, type EventOptions } from './event-stream.ts'
import type { Format } from './format.ts'

// JSON lets these stand, and some who split lines take them for line ends: Node's readline, Python's splitlines.
const LINE_ENDS_TO_SOME = /[\u0085\u2028\u2029]/g

export const ndjson: Format = {
  type: 'application/x-ndjson',
  aliases: ['application/ndjson', 'application/jsonl', 'application/x-jsonl', 'application/jsonlines'],
  contentType: 'application/x-ndjson',
  encoding: 'utf8',
  encode: (data, fields) => {
    if (fields != null) checkFields(fields)
    const text = encodeData(data)
    return line(typeof data === 'string' ? JSON.stringify(text) : text, fields ?? {})
  },
  encodeStored: (event) => line(event.json ? event.data : JSON.stringify(event.data), event),
  hasTypes: true,
  opening: '',
  endsEvent: (tail) => tail.endsWith('\n'),
  encodeHeartbeat: (event, id) => event === null ? '' : line('""', { event, id: id ?? undefined })
}

/** @param json the data */
function line (json: string, { event, id }: EventOptions): string {
  const value = oneLine(json)
  if (event === undefined && id === undefined) return escape(value) + '\n'
  const head = event === undefined ? '' : `"event":${JSON.stringify(event)},`
  return escape(`{${head}${id === undefined ? '' : `"id":${JSON.stringify(String(id))},`}"data":${value}}`) + '\n'
}

/**
 * JSON without line ends, as an app's own serialiser or another publisher may have it: they can stand between values only, where they say
 * nothing, and would make two lines of one.
 */
export function oneLine (json: string): string {
  return json.indexOf('\n') === -1 && json.indexOf('\r') === -1 ? json : json.replace(/[\n\r][\t\n\r ]*/g, '')
}

// They can stand in strings only, where an escape says the same.
function escape (json: string): string {
  return json.search(LINE_ENDS_TO_SOME) === -1 ? json : json.replace(LINE_ENDS_TO_SOME, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
