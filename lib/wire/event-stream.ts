/**
 * The event stream wire: one event in, the text an EventSource reads out. Sole owner of the grammar.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
import { PST_ERR_DATA, PST_ERR_FIELD } from '../errors.ts'
import { checkFieldNames, describe } from './fields.ts'
import type { Format } from './format.ts'
import { StreamEvent } from './stream-event.ts'

const HEARTBEAT_COMMENT = ': heartbeat\n'

export interface EventFields {
  /** The event's type, what `addEventListener` listens for. Default: `message`, by leaving the field out. */
  event?: string | undefined
  /** The client's next reconnection delay, ms. */
  retry?: number | undefined
}

/** What an event may have besides its data. */
export interface EventOptions extends EventFields {
  /** The client's next `Last-Event-ID`. An empty string resets it. */
  id?: string | number | undefined
}

const FIELDS = ['event', 'id', 'retry']
const LINE_END = /\r\n|\r|\n/   // [spec] CRLF, LF or CR ends a line
const HALF_A_PAIR = 'the text has half a surrogate pair, which UTF-8 can\'t carry'
const FORBIDDEN = /[\r\n\0]/    // [spec] the first two would end the field, a NUL makes clients ignore an id

// A blank line ends a block; the line end before it may be CRLF, LF or CR as well.
const BLOCK_END = /(?:\n|\r(?!\n))(?:\r\n|\n|\r)$/

/**
 * One event: the fields event, id, retry, then data.
 * @param data text goes out verbatim, one `data:` line per line; everything else as JSON
 * @throws PST_ERR_FIELD, PST_ERR_DATA
 */
export function encodeEvent (data: unknown, options?: EventOptions | null): string {
  const lines = typeof data === 'string' ? dataLines(data) : 'data: ' + encodeData(data) + '\n\n'
  return options == null ? lines : encodeFields(options) + lines
}

/**
 * The data of an event as it is sent: text verbatim, everything else as JSON.
 * @throws PST_ERR_DATA
 */
export function encodeData (data: unknown): string {
  if (typeof data !== 'string') return json(data)
  if (!data.isWellFormed()) throw new PST_ERR_DATA(HALF_A_PAIR)
  return data
}

/** A block that moves the client's `Last-Event-ID` and dispatches nothing. */
export function encodeId (id: string): string {
  return field('id', id) + '\n'
}

/**
 * A sign of life.
 * @param event the type of a visible one; null for a comment, which dispatches nothing
 * @param id moves the client's `Last-Event-ID`; null leaves it
 */
export function encodeHeartbeat (event: string | null, id: string | null): string {
  const idField = id === null ? '' : field('id', id)
  return event === null ? HEARTBEAT_COMMENT + idField + '\n' : field('event', event) + idField + 'data: \n\n'
}

/**
 * One event made by `event()`: the comment, then the fields, then the data. Clients pass over an event without data, so
 * one that has a type gets empty data.
 * @throws PST_ERR_FIELD, PST_ERR_DATA
 */
export function encodeStreamEvent ({ fields: { comment, data, ...fields } }: StreamEvent): string {
  const lines = comment === undefined ? '' : commentLines(comment)
  if (data !== undefined || fields.event !== undefined) return lines + encodeEvent(data === undefined ? '' : data, fields)
  return lines + encodeFields(fields) + '\n'
}

/** A block of comment lines; clients ignore it. */
export function encodeComment (text: string): string {
  return commentLines(text) + '\n'
}

/** A block that sets the client's reconnection delay, in ms, and dispatches nothing. */
export function encodeRetry (ms: number): string {
  return retryField(ms) + '\n'
}

/** @throws PST_ERR_FIELD */
export function checkFields (fields: EventOptions): void {
  encodeFields(fields)
}

export const eventStream: Format = {
  type: 'text/event-stream',
  aliases: [],
  contentType: 'text/event-stream; charset=utf-8',   // [spec] it is always UTF-8
  encoding: 'utf8',
  encode: encodeEvent,
  encodeStored: ({ data, event, id, retry }) => event === undefined && id === undefined && retry === undefined ? dataLines(data) : encodeEvent(data, { event, id, retry }),
  hasTypes: true,
  opening: ':\n\n',   // makes `EventSource` open and proxies flush, and is no event
  endsEvent: (tail) => BLOCK_END.test(tail),
  encodeStreamEvent,
  encodeComment,
  encodeRetry,
  encodeId,
  encodeHeartbeat
}

function commentLines (text: string): string {
  if (typeof text !== 'string') throw new PST_ERR_DATA('a comment must be a string')
  if (!text.isWellFormed()) throw new PST_ERR_DATA(HALF_A_PAIR)
  return ': ' + text.split(LINE_END).join('\n: ') + '\n'
}

function encodeFields (options: EventOptions): string {
  checkFieldNames('options', options, FIELDS)
  const { event, id, retry } = options
  let fields = ''
  if (event !== undefined) fields += field('event', event)
  if (id !== undefined) fields += field('id', typeof id === 'number' && Number.isFinite(id) ? String(id) : id)
  if (retry !== undefined) fields += retryField(retry)
  return fields
}

// Checked here, not by callers: one line end let through is a forged event.
function field (name: string, value: unknown): string {
  if (typeof value !== 'string') throw new PST_ERR_FIELD(name, 'a string' + (name === 'id' ? ' or a finite number' : ''), describe(value))
  if (FORBIDDEN.test(value)) throw new PST_ERR_FIELD(name, 'free of CR, LF and NUL', describe(value))
  if (!value.isWellFormed()) throw new PST_ERR_FIELD(name, 'well-formed text', describe(value))
  return `${name}: ${value}\n`
}

// [spec] "If the field value consists of only ASCII digits": 1e21 or -1 would be ignored in silence.
function retryField (ms: unknown): string {
  if (!Number.isSafeInteger(ms) || ms as number < 0) throw new PST_ERR_FIELD('retry', 'a non-negative integer of milliseconds', describe(ms))
  return `retry: ${ms as number}\n`
}

function dataLines (text: string): string {
  if (!text.isWellFormed()) throw new PST_ERR_DATA(HALF_A_PAIR)
  // A third of the time that a regular expression takes (2026-11).
  if (text.indexOf('\n') === -1 && text.indexOf('\r') === -1) return 'data: ' + text + '\n\n'
  return 'data: ' + text.split(LINE_END).join('\ndata: ') + '\n\n'
}

function json (data: unknown): string {
  // Of these JSON would make something that nobody meant.
  if (data instanceof Promise) throw new PST_ERR_DATA('a promise has to be awaited')
  if (data instanceof StreamEvent) throw new PST_ERR_DATA('it is an event itself, made by event()')
  let text: string | undefined
  try {
    text = JSON.stringify(data)
  } catch (cause) {
    throw Object.assign(new PST_ERR_DATA(cause instanceof Error ? cause.message : String(cause)), { cause })
  }
  if (text === undefined) throw new PST_ERR_DATA(`JSON has no form for ${describe(data)}`)
  return text
}
