/** Whether one connection has every event, in order, once: looks for their numbers, whatever else an event says and however it is framed. */
import { Recall } from '../recall.ts'

/** What comes up to the last blank line. */
interface Batch {
  /** Numbers that follow each other, from the first to the last. */
  runs: Array<[first: number, last: number]>
  /** When its first event was published, ns; 0 if that is not said. */
  publishedAt: number
  rest: string
}

const NUMBER = '{"n":'
const TIME = ',"at":'
const ZERO = 48
const NINE = 57
// Of a chunk, and of the last one.
const CHUNK_END = '\r\n'
const LAST_CHUNK = '0\r\n\r\n'

const recall = new Recall(parse)

export class Sequence {
  events = 0
  /** Some events that are missing, or came twice. */
  readonly faults: string[] = []
  #next = 0
  #rest = ''

  /** Whether the response has come to its end. */
  get hasEnded (): boolean {
    return this.#rest.endsWith(LAST_CHUNK)
  }

  /** Answers when the oldest event of these bytes was published, ns; 0 where that is not said. */
  read (bytes: Buffer): number {
    const { runs, publishedAt, rest } = this.#rest === '' ? recall.read(bytes) : parse(this.#rest + bytes.toString('latin1'))
    this.#rest = rest
    for (const [first, last] of runs) {
      if (first !== this.#next && this.faults.length < 5) this.faults.push(`${first} instead of ${this.#next}`)
      this.events += last - first + 1
      this.#next = last + 1
    }
    return publishedAt
  }
}

function parse (text: string): Batch {
  const end = text.lastIndexOf('\n\n') + 2
  const batch: Batch = { runs: [], publishedAt: 0, rest: end === 1 ? text : text.slice(end) }
  if (end === 1) return batch
  if (batch.rest === CHUNK_END) batch.rest = ''
  let run: [number, number] | undefined
  for (let at = text.indexOf(NUMBER); at !== -1 && at < end; at = text.indexOf(NUMBER, at)) {
    at += NUMBER.length
    let n = 0
    for (let code = text.charCodeAt(at); code >= ZERO && code <= NINE; code = text.charCodeAt(++at)) n = n * 10 + code - ZERO
    if (run !== undefined && n === run[1] + 1) run[1] = n
    else batch.runs.push(run = [n, n])
    if (batch.publishedAt === 0 && text.startsWith(TIME, at)) batch.publishedAt = Number.parseInt(text.slice(at + TIME.length, at + TIME.length + 20))
  }
  return batch
}
