/** The format of a connection's events, and whether one may follow what was written last. */
import { PST_ERR_ARGUMENT, PST_ERR_CONTENT_TYPE, PST_ERR_NOT_ACCEPTABLE } from '../errors.ts'
import { checkFields, type EventOptions } from '../wire/event-stream.ts'
import { encodeStreamEvent, type Format, isOfFormat } from '../wire/format.ts'
import { StreamEvent } from '../wire/stream-event.ts'
import type { EventSchemas } from './event-schemas.ts'
import type { Choice, Formats } from './formats.ts'

// What tells the end of an event in any format is not longer.
const TAIL = 4

export class Encoder {
  readonly #formats: Formats
  readonly #events: EventSchemas | null
  readonly #wantsJson: boolean
  #format: Format | null
  // Whether the response is of that format, as far as its content type is known.
  #isFormatted = false
  // The last bytes that the app wrote by itself; empty behind an event.
  #tail = ''

  /** @param events what the route's schema declares; null: any */
  constructor (formats: Formats, events: EventSchemas | null, choice: Choice) {
    this.#formats = formats
    this.#events = events
    this.#wantsJson = choice === 'json'
    this.#format = choice === 'json' ? null : choice
  }

  /** Null if the client accepts none that there is. */
  get format (): Format | null {
    return this.#format
  }

  /** Whether the response is of the format. */
  get isFormatted (): boolean {
    return this.#isFormatted
  }

  /** Whether something may follow: never inside what the app writes with `chunk`. */
  get isBetween (): boolean {
    return this.#isFormatted && (this.#tail === '' || (this.#format as Format).endsEvent(this.#tail))
  }

  /** Why there can be no events for a client that accepts nothing that there is, or only all of them at once. */
  get refusal (): Error {
    const { streamTypes, types } = this.#formats
    return new PST_ERR_NOT_ACCEPTABLE((this.#wantsJson && streamTypes.length !== 0 ? streamTypes : types).join(', '))
  }

  /**
   * The format of a response of this content type. Answers whether it is another one than before.
   * @param contentType undefined: the one that the client chose
   */
  settle (contentType: unknown): boolean {
    const format = this.#format
    this.#isFormatted = format !== null && (contentType === undefined || isOfFormat(contentType, format))
    if (this.#isFormatted) return false
    // Plain text that the app has set is its own, made of chunks.
    const other = this.#formats.find((format) => format.hasTypes && isOfFormat(contentType, format))
    if (other === null) return false
    this.#format = other
    this.#isFormatted = true
    return true
  }

  /**
   * The format, to encode something in.
   * @throws PST_ERR_NOT_ACCEPTABLE, PST_ERR_CONTENT_TYPE
   */
  need (): Format {
    if (this.#format === null) throw this.refusal
    if (!this.#isFormatted) throw new PST_ERR_CONTENT_TYPE(this.#formats.types.join(', '))
    return this.#format
  }

  /**
   * An event, as the route's schema says; empty if the format has nothing to say of it.
   * @throws PST_ERR_DATA, PST_ERR_FIELD, PST_ERR_ARGUMENT, PST_ERR_EVENT
   */
  encode (format: Format, data: unknown, options: EventOptions | null | undefined): string {
    if (data instanceof StreamEvent) {
      if (options != null) throw new PST_ERR_ARGUMENT('event', 'no options beside an event made by event()', typeof options)
      const { fields } = data
      const isNone = fields.data === undefined && fields.event === undefined
      const json = isNone ? null : this.#serialize(fields.event, fields.data)
      if (json === null) return encodeStreamEvent(format, data)
      const { event, id, retry } = fields
      checkFields({ event, id, retry })
      return stored(format, json, fields)
    }
    const json = this.#serialize(options?.event, data)
    if (json === null) return format.encode(data, options)
    if (options == null) return format.encodeStored({ data: json, json: true })
    checkFields(options)
    return stored(format, json, options)
  }

  /** An event was written. */
  ended (): void {
    this.#tail = ''
  }

  /** The app wrote something by itself. */
  wrote (bytes: string | Uint8Array): void {
    const last = typeof bytes === 'string' ? bytes.slice(-TAIL) : Buffer.from(bytes.subarray(-TAIL)).toString('latin1')
    this.#tail = (this.#tail + last).slice(-TAIL)
  }

  #serialize (event: string | undefined, data: unknown): string | null {
    return this.#events === null ? null : this.#events.serialize(event, data)
  }
}

function stored (format: Format, json: string, fields: EventOptions & { comment?: string | undefined }): string {
  const { event, id, retry, comment } = fields
  const ahead = comment === undefined ? '' : format.encodeComment?.(comment) ?? ''
  return ahead + format.encodeStored({ data: json, json: true, event, id: id === undefined ? undefined : String(id), retry })
}
