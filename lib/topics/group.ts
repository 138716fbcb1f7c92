/** The cursors of all connections with the same subscriptions and the same format: what they have coming, built once for all of them. */
import type { Format } from '../wire/format.ts'
import { Frame } from '../wire/frame.ts'
import type { Cursor } from './cursor.ts'
import type { Record } from './record.ts'
import { type Selection, select, type Subscriptions } from './selection.ts'

// So much of what was published waits here for those who are live; beyond that they read it from the log.
const MAX_WAITING = 1024

// About this much goes out in one write.
export const WRITE_BYTES = 64 * 1024

/** What goes out to cursors at one place. */
export interface Payload extends Selection {
  /** Null if it selects nothing. */
  readonly frame: Frame | null
}

export class Group {
  readonly key: string
  readonly subscriptions: Subscriptions
  readonly format: Format
  /** When a pass became due, ms; 0: nobody wants to know. */
  dueAt = 0
  /** How many cursors it has in all. */
  size = 0
  /** Those that have everything but what is in `#waiting`, and are written to directly. */
  readonly live = new Set<Cursor>()
  /** Every record of the subscriptions behind this offset is in `#waiting`, and maybe some that all have. */
  #since: number
  #waiting: Record[] = []
  #isDirty = false
  // Reads of the log that are under way for its cursors.
  #reads = 0
  // The last one built, and for which place.
  #payload: Payload | null = null
  #payloadAfter = -1

  /** @param since the offset of the log's head */
  constructor (key: string, subscriptions: Subscriptions, format: Format, since: number) {
    this.key = key
    this.subscriptions = subscriptions
    this.format = format
    this.#since = since
  }

  /** The offset of the newest record that is known to those who are live, or about to be. */
  get newest (): number {
    return this.#waiting.at(-1)?.offset ?? this.#since
  }

  /** Whether the next record would push out what waits. */
  get isFull (): boolean {
    return this.#waiting.length === MAX_WAITING
  }

  /** Adds a record to what waits. Answers whether a pass became due with it. */
  add (record: Record): boolean {
    this.#payload = null
    if (this.live.size === 0 && this.#reads === 0) {
      this.#waiting = []
      this.#since = record.offset
      return false
    }
    if (this.isFull) this.#forget(this.#waiting[MAX_WAITING / 2 - 1]?.offset as number)
    this.#waiting.push(record)
    if (this.#isDirty || this.live.size === 0) return false
    this.#isDirty = true
    return true
  }

  /**
   * A read of the log begins for one of its cursors. Until it ends, what is published waits here, also where nobody is live:
   * else a log whose reads take longer than the pause between two publishes would always be read to behind its head.
   */
  beginRead (): void {
    this.#reads++
  }

  endRead (): void {
    this.#reads--
  }

  /** Whether everything behind this offset is here, so that who is there can be live. */
  meets (offset: number): boolean {
    return offset >= this.#since
  }

  /**
   * What a live cursor has coming; null where it has to be read from the log.
   * @throws what a filter throws
   */
  payload (after: number): Payload | null {
    if (after < this.#since) return null
    if (this.#payload !== null && this.#payloadAfter === after) return this.#payload
    const start = this.#indexBehind(after)
    this.#payloadAfter = after
    if (this.#payload === null || this.#payload.start !== start) this.#payload = this.#build(start)
    return this.#payload
  }

  /**
   * What a live cursor has coming of which something is not for it: built for it alone, where `payload` is not null.
   * @throws what a filter throws
   */
  payloadFor (after: number, isFor: (record: Record) => boolean): Payload {
    return this.#build(this.#indexBehind(after), isFor)
  }

  /** Up to where a live cursor at this offset has everything: all that it has not is here. */
  reach (after: number): number {
    const next = after < this.#since ? undefined : this.#waiting[this.#indexBehind(after)]
    return next === undefined ? after : next.offset - 1
  }

  /** A pass has reached everybody: they all have everything up to this offset. Answers whether another one is due. */
  passed (through: number): boolean {
    if (this.#reads === 0) this.#forget(through)
    this.#isDirty = this.newest > through
    return this.#isDirty
  }

  #build (start: number, isFor?: (record: Record) => boolean): Payload {
    const selection = select(this.#waiting, start, this.subscriptions, this.format, WRITE_BYTES, this.newest, isFor)
    return { ...selection, frame: selection.text === '' ? null : new Frame(selection.text, this.format.encoding) }
  }

  #forget (through: number): void {
    this.#waiting.splice(0, this.#indexBehind(through))
    this.#since = Math.max(this.#since, through)
    this.#payload = null
  }

  #indexBehind (offset: number): number {
    const waiting = this.#waiting
    let index = waiting.length
    while (index > 0 && (waiting[index - 1] as Record).offset > offset) index--
    return index
  }
}
