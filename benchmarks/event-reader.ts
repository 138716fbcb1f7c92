/** What a client makes of an event stream whose data has a sequence number: whether anything is missing, and where it is. */
import { Recall } from './recall.ts'

/** A run of events, as far as their numbers follow each other; or a gap that the client was told of. */
type Step = { kind: 'run', first: number, last: number } | { kind: 'gap', reason: string, from: string | null }

interface Batch {
  steps: Step[]
  /** Where the client is behind it; null if it says nothing of that. */
  id: string | null
  /** How long it is told to wait before it comes back, ms; null if it is not told. */
  retry: number | null
  /** When its oldest event was published, ns; 0 if it has none. */
  publishedAt: number
  /** Chunks that begin in it. */
  chunks: number
  /** The block that it has the beginning of. */
  rest: string
}

const recall = new Recall(parse)

export class EventReader {
  /** The newest position, for `Last-Event-ID`. */
  lastId: string | null = null
  /** The number of the newest event; -1 before the first. */
  last = -1
  events = 0
  /** Chunks of the response: the server makes one in each write. */
  chunks = 0
  /** How many gaps it was told of, and where the last one began. */
  gaps = 0
  gapFrom: string | null = null
  gapReason: string | null = null
  /** How long it was told to wait before it comes back, ms. */
  retry: number | null = null
  /** Events that are missing, or came twice, without a word. */
  faults: string[] = []
  #rest = ''
  #follows = false

  /**
   * @param isNew whether it may start anywhere; else with the event 0
   */
  constructor (isNew: boolean) {
    this.#follows = !isNew
  }

  /** Whether the response has come to its proper end: nothing follows the last chunk. */
  get isEnded (): boolean {
    return /^(\r\n)?0\r\n\r\n$/.test(this.#rest)
  }

  /** A new connection of the same client: what it had only a part of will come again. */
  reconnect (): void {
    this.#rest = ''
  }

  /** Reads what came. Answers when its oldest event was published, ns; 0 if there was none. */
  read (bytes: Buffer): number {
    const { steps, id, retry, publishedAt, chunks, rest } = this.#rest === '' ? recall.read(bytes) : parse(this.#rest + bytes.toString('latin1'))
    this.#rest = rest
    this.chunks += chunks
    this.lastId = id ?? this.lastId
    this.retry = retry ?? this.retry
    for (const step of steps) this.#take(step)
    return publishedAt
  }

  #take (step: Step): void {
    if (step.kind === 'gap') {
      this.gaps++
      this.gapFrom = step.from
      this.gapReason = step.reason
      this.#follows = false
      return
    }
    const isNext = this.#follows ? step.first === this.last + 1 : step.first > this.last
    if (!isNext) this.faults.push(`${step.first} behind ${this.last}`)
    this.events += step.last - step.first + 1
    this.last = step.last
    this.#follows = true
  }
}

// A block as servers of benchmarks send them: perhaps first the framing of a chunk, then the fields that there are, in order.
const BLOCK = /(?:\r\n)?([0-9a-f]+\r\n)?(?::.*\n)?(?:event: (.*)\n)?(?:id: (.*)\n)?(?:retry: (\d+)\n)?(?:data: (?:\{"n":(\d+),"at":(\d+).*|(.*))\n)?\n/y

function parse (text: string): Batch {
  const batch: Batch = { steps: [], id: null, retry: null, publishedAt: 0, chunks: 0, rest: '' }
  let at = text.startsWith('H') ? bodyOf(text) : 0
  if (at === -1) return { ...batch, rest: text }
  for (;;) {
    BLOCK.lastIndex = at
    const match = BLOCK.exec(text)
    if (match === null) break
    at = BLOCK.lastIndex
    const [, chunk, event, id, retry, n, publishedAt, data] = match
    if (chunk !== undefined) batch.chunks++
    if (id !== undefined) batch.id = id
    if (retry !== undefined) batch.retry = Number(retry)
    if (n !== undefined) addEvent(batch, Number(n), Number(publishedAt))
    else if (event === 'gap') addGap(batch, data as string)
  }
  const rest = text.slice(at)
  if (rest !== '\r\n') batch.rest = rest   // the end of a chunk
  return batch
}

// Where the body of the response starts; -1 if its head is not all there.
function bodyOf (text: string): number {
  const end = text.indexOf('\r\n\r\n')
  return end === -1 ? -1 : end + 4
}

function addEvent (batch: Batch, n: number, publishedAt: number): void {
  if (batch.publishedAt === 0) batch.publishedAt = publishedAt
  const step = batch.steps.at(-1)
  if (step?.kind === 'run' && step.last === n - 1) step.last = n
  else batch.steps.push({ kind: 'run', first: n, last: n })
}

function addGap ({ steps }: Batch, data: string): void {
  const { reason, from } = JSON.parse(data) as { reason: string, from: string | null }
  steps.push({ kind: 'gap', reason, from })
}
