/** How events look in a response: what every format has in common, and how an app makes its own. */
import { PST_ERR_DATA } from '../errors.ts'
import { checkFields, encodeComment, encodeData, type EventOptions } from './event-stream.ts'
import type { StreamEvent } from './stream-event.ts'

/** An event that has been serialised before: its data is text, or JSON. */
export interface StoredEvent {
  data: string
  json: boolean
  event?: string | undefined
  id?: string | undefined
  retry?: number | undefined
}

export type TextEncoding = 'utf8' | 'latin1'

export interface Format {
  /** The media type, as `Accept` names it. */
  readonly type: string
  /** Other names that mean the same. */
  readonly aliases: readonly string[]
  /** The `Content-Type` of the response. */
  readonly contentType: string
  /** What its text is to be written in: `latin1` where each character is a byte of the wire already. */
  readonly encoding: TextEncoding
  /**
   * One event.
   * @throws PST_ERR_DATA, PST_ERR_FIELD
   */
  readonly encode: (data: unknown, fields?: EventOptions | null) => string
  readonly encodeStored: (event: StoredEvent) => string
  /** What the app sends by itself, where that needs a form as well. */
  readonly encodeChunk?: (bytes: string | Uint8Array) => string | Uint8Array
  /** One event made by `event()`; without it, what has data or a type is sent as any event, and the rest left out. */
  readonly encodeStreamEvent?: (event: StreamEvent) => string
  /** Whether a client can tell an event of one type from one of another. */
  readonly hasTypes: boolean
  /** What the client sees at first where there is nothing else: empty if it has no bytes that mean nothing. */
  readonly opening: string
  /** Whether something may follow behind this text, the last that was sent: never inside of an event. */
  readonly endsEvent: (tail: string) => boolean
  /** These are for formats that have a way to say it; all others leave it unsaid. */
  readonly encodeComment?: (text: string) => string
  readonly encodeRetry?: (ms: number) => string
  readonly encodeId?: (id: string) => string
  /** @param event the type of a visible one; null for one that clients ignore, which answers an empty text if there is none */
  readonly encodeHeartbeat: (event: string | null, id: string | null) => string
}

/** An event as an app's own format gets it. */
export interface FormatEvent {
  data: unknown
  event: string | undefined
  id: string | undefined
  retry: number | undefined
}

/** A format of the app's own. */
export interface CustomFormat {
  /** The media type, such as `application/json-seq`: what `Accept` has to name, and the `Content-Type`; that of text says that it is UTF-8. */
  type: string
  /** One event as text. */
  encode: (event: FormatEvent) => string
}

/** Whether a `Content-Type` is that of the format. */
export function isOfFormat (contentType: unknown, { type, aliases }: Pick<Format, 'type' | 'aliases'>): boolean {
  if (typeof contentType !== 'string') return false
  const end = contentType.indexOf(';')
  const given = (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  return given === type || aliases.includes(given)
}

/** One event made by `event()`; empty if the format has nothing to say of it. */
export function encodeStreamEvent (format: Format, event: StreamEvent): string {
  if (format.encodeStreamEvent !== undefined) return format.encodeStreamEvent(event)
  const { data, comment, ...fields } = event.fields
  if (comment !== undefined) encodeComment(comment)   // what one format refuses all of them do
  if (data !== undefined || fields.event !== undefined) return format.encode(data === undefined ? '' : data, fields)
  checkFields(fields)
  return ''
}

/** The whole of an app's own format. */
export function fromCustom ({ type, encode }: CustomFormat): Format {
  const encodeParts = (data: unknown, { event, id, retry }: EventOptions) => {
    const text: unknown = encode({ data, event, id: id === undefined ? undefined : String(id), retry })
    if (typeof text !== 'string') throw new PST_ERR_DATA(`the format ${type} gave a value of the type ${typeof text}`)
    return text.toWellFormed()
  }
  return {
    type: type.toLowerCase(),
    aliases: [],
    contentType: /^text\//i.test(type) ? `${type}; charset=utf-8` : type,
    encoding: 'utf8',
    encode: (data, fields) => {
      encodeData(data)   // what no format could replay is refused by all of them
      if (fields != null) checkFields(fields)
      return encodeParts(data, fields ?? {})
    },
    encodeStored: ({ data, json, event, id, retry }) => encodeParts(json ? JSON.parse(data) : data, { event, id, retry }),
    hasTypes: true,
    opening: '',
    endsEvent: () => true,
    encodeHeartbeat: (event, id) => event === null ? '' : encodeParts('', { event, id: id ?? undefined })
  }
}
