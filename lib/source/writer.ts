/** Writes what a source gives into the topic of a resumable stream, from its first event to its end. */
import type { EventSchemas } from '../connection/event-schemas.ts'
import { PST_ERR_CHUNK, PST_ERR_ID } from '../errors.ts'
import type { Draft } from '../topics/record.ts'
import type { Topics } from '../topics/topics.ts'
import { checkFields, encodeData } from '../wire/event-stream.ts'
import { StreamEvent } from '../wire/stream-event.ts'

// A topic ends once, whoever says so: what feeds it, or who takes that for dead.
const END = 'end'

export class Writer {
  readonly #topics: Topics
  readonly #topic: string
  readonly #events: EventSchemas | null
  #hasBegun: boolean

  /**
   * @param events what the route declares; null: anything
   * @param isFirst whether nothing of the topic comes before what it writes
   */
  constructor (topics: Topics, topic: string, events: EventSchemas | null, isFirst = true) {
    this.#topics = topics
    this.#topic = topic
    this.#events = events
    this.#hasBegun = !isFirst
  }

  /**
   * Takes an item, as fast as the log does: its clients have cursors, and wait for nobody.
   * @throws what the item can't be sent for
   */
  take (item: unknown): boolean | Promise<boolean> {
    const appended = this.#write(item)
    return appended instanceof Promise ? appended.then(() => true) : true
  }

  /** The source has ended. */
  end (terminator: string): string | Promise<string> {
    return this.#append({ data: terminator, json: false, ends: 'server', key: END })
  }

  /** The source has failed, or nobody feeds the topic any more. */
  fail (data: unknown): string | Promise<string> {
    return this.#append({ data: encodeData(data), json: typeof data !== 'string', event: 'error', ends: 'error', key: END })
  }

  #write (item: unknown): string | Promise<string> {
    if (item instanceof Uint8Array) throw new PST_ERR_CHUNK('bytes in a resumable stream, which has events only')
    if (!(item instanceof StreamEvent)) return this.#append(this.#encode(item))
    const { data, event, id, retry } = item.fields
    if (id !== undefined) throw new PST_ERR_ID()
    checkFields({ event, retry })
    if (data === undefined && event === undefined) return ''   // a comment is for those who are here
    return this.#append({ ...this.#encode(data === undefined ? '' : data, event), event, retry })
  }

  #encode (data: unknown, event?: string): Pick<Draft, 'data' | 'json'> {
    const json = this.#events?.serialize(event, data) ?? null
    return json === null ? { data: encodeData(data), json: typeof data !== 'string' } : { data: json, json: true }
  }

  #append (draft: Omit<Draft, 'topic' | 'begins'>): string | Promise<string> {
    const begins = this.#hasBegun ? undefined : true
    this.#hasBegun = true
    return this.#topics.append({ ...draft, topic: this.#topic, begins })
  }
}
