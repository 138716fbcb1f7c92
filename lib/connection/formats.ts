/** The formats of a route, and which of them a client gets. */
import { preferred } from '../wire/accept.ts'
import { eventStream } from '../wire/event-stream.ts'
import { type CustomFormat, type Format, fromCustom, isOfFormat } from '../wire/format.ts'
import { ndjson } from '../wire/ndjson.ts'
import { plainText } from '../wire/plain-text.ts'

/**
 * - `event-stream`: Server-Sent Events, `text/event-stream`
 * - `ndjson`: one JSON value a line, `application/x-ndjson`
 * - `text`: nothing but the data, `text/plain`
 * - `json`: not a stream but an array of all items, `application/json`, for what a handler returns and that ends
 */
export type FormatName = 'event-stream' | 'ndjson' | 'text' | 'json'

export const FORMAT_NAMES: readonly FormatName[] = ['event-stream', 'ndjson', 'text', 'json']

/** What a client gets: a format; all at once, as JSON; or nothing that it accepts. */
export type Choice = Format | 'json' | null

const JSON_TYPE = 'application/json'

/** What those get who want all at once. */
export const JSON_CONTENT_TYPE = `${JSON_TYPE}; charset=utf-8`

const BY_NAME = { 'event-stream': eventStream, ndjson, text: plainText, json: 'json' } as const

// One for all routes that share it, so that their subscribers share what is built for it.
const customs = new WeakMap<CustomFormat, Format>()

const renamed = new WeakMap<Format, Map<string, Format>>()

// What is remembered of the headers that clients send: there are few different ones, and short. One costs 15 µs to read (2026-11).
const KNOWN = 100
const KNOWN_LENGTH = 200

export class Formats {
  readonly #choices: ReadonlyArray<Format | 'json'>
  readonly #known = new Map<string, Choice>()

  /** @param wanted best first */
  constructor (wanted: ReadonlyArray<FormatName | CustomFormat>) {
    this.#choices = wanted.map((format) => typeof format === 'string' ? BY_NAME[format] : whole(format))
  }

  /** Whether the client has a say. */
  get isNegotiated (): boolean {
    return this.#choices.length > 1
  }

  /** The media types, for those who asked for something else. */
  get types (): string[] {
    return this.#choices.map((choice) => choice === 'json' ? JSON_TYPE : choice.type)
  }

  /** Those that are not all at once. */
  get streamTypes (): string[] {
    return this.types.filter((type) => type !== JSON_TYPE)
  }

  /** @param accept the header */
  choose (accept = ''): Choice {
    if (!this.isNegotiated) return this.#choices[0] ?? null
    const known = this.#known.get(accept)
    if (known !== undefined) return known
    const choice = this.#choose(accept)
    if (accept.length <= KNOWN_LENGTH) {
      if (this.#known.size === KNOWN) this.#known.clear()
      this.#known.set(accept, choice)
    }
    return choice
  }

  /** The streaming format that has this test. */
  find (test: (format: Format) => boolean): Format | null {
    return this.#choices.find((choice): choice is Format => choice !== 'json' && test(choice)) ?? null
  }

  #choose (accept: string): Choice {
    const choice = preferred(accept, this.#choices, (choice) => choice === 'json' ? [JSON_TYPE] : [choice.type, ...choice.aliases])
    if (choice === null || choice === 'json' || choice.aliases.length === 0) return choice
    return named(choice, preferred(accept, [choice.type, ...choice.aliases], (type) => [type]))
  }
}

/** Whether a `Content-Type` is that of all at once. */
export function isJson (contentType: unknown): boolean {
  return isOfFormat(contentType, { type: JSON_TYPE, aliases: [] })
}

// By the name that the client accepts it under.
function named (format: Format, type: string | null): Format {
  if (type === null || type === format.type) return format
  let byType = renamed.get(format)
  if (byType === undefined) renamed.set(format, byType = new Map())
  let other = byType.get(type)
  if (other === undefined) byType.set(type, other = { ...format, contentType: type })
  return other
}

function whole (custom: CustomFormat): Format {
  let format = customs.get(custom)
  if (format === undefined) customs.set(custom, format = fromCustom(custom))
  return format
}
