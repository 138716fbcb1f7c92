/** Where the topics of resumable streams begin and end in a log, so that none is looked for in all of it. */
import { isProduced } from '../lib/topics/produced.ts'
import type { Record } from '../lib/topics/record.ts'

interface Span { first: number, last: number }

export class Whereabouts {
  readonly #spans = new Map<string, Span>()
  #atLastTrim = 0

  note ({ topic, offset }: Record): void {
    if (!isProduced(topic)) return
    const span = this.#spans.get(topic)
    if (span === undefined) {
      this.#spans.set(topic, { first: offset, last: offset })
    } else {
      span.first = Math.min(span.first, offset)
      span.last = Math.max(span.last, offset)
    }
  }

  /** Between the two, the topic has nothing. `Infinity`: nor has it behind that. */
  next (topic: string, after: number): number {
    const span = this.#spans.get(topic)
    if (span === undefined || span.last <= after) return Infinity
    return Math.max(span.first, after + 1)
  }

  /** The log has nothing any more up to this offset. */
  trim (offset: number): void {
    if (this.#spans.size < 2 * this.#atLastTrim) return   // all are looked at: not for each event
    for (const [topic, { last }] of this.#spans) if (last <= offset) this.#spans.delete(topic)
    this.#atLastTrim = Math.max(1_000, this.#spans.size)
  }
}
