/** The transport of long polling: gathers lines, and gives them to the client's next poll. */
import type { Transport } from '../lib/connection/transport.ts'
import type { Frame } from '../lib/wire/frame.ts'

/** What a poll is answered: there are messages; there were none in time; there will be none any more. */
export interface Polled { status: 200 | 204 | 410, messages: string[] }

export interface PollOptions {
  /** How long a poll waits for a message, ms. */
  window: number
  /** How long the client may stay away between two polls, ms. */
  timeout: number
  /** So much may wait for a poll before the client is taken to be slow, bytes. */
  slack: number
  /** All that was given before the end was taken. */
  ended: () => void
  /** The client stayed away for too long. */
  lost: () => void
}

const GONE: Polled = { status: 410, messages: [] }
const NOTHING: Polled = { status: 204, messages: [] }

export class PollTransport implements Transport {
  readonly name = 'longpoll'
  readonly #options: PollOptions
  #text = ''
  #size = 0
  #taken = 0
  #written: Array<() => void> = []
  #answer: ((polled: Polled) => void) | null = null
  // While a poll waits, its window; else the time until there has to be one.
  #timer: NodeJS.Timeout | null = null
  #isAnswering = false
  #isEnding = false
  #isOver = false

  constructor (options: PollOptions) {
    this.#options = options
    this.#awaitPoll()
  }

  get slack (): number {
    return this.#options.slack
  }

  get queued (): number {
    return this.#size
  }

  get taken (): number {
    return this.#taken
  }

  get writable (): boolean {
    return !this.#isOver
  }

  writeText (text: string, size: number, written?: () => void): void {
    this.#text += text
    this.#size += size
    if (written !== undefined) this.#written.push(written)
    if (this.#answer === null || this.#isAnswering) return
    // What else is sent in this turn comes along.
    this.#isAnswering = true
    setImmediate(() => {
      this.#isAnswering = false
      this.#answerPoll()
    })
  }

  writeBytes (bytes: Uint8Array, written?: () => void): void {
    this.writeText(Buffer.from(bytes).toString(), bytes.byteLength, written)
  }

  writeFrame ({ text, size }: Frame, written?: () => void): void {
    this.writeText(text, size, written)
  }

  /** Takes what there is, or waits for it. A poll that waits already gives way. */
  poll (): Promise<Polled> {
    this.#settlePoll(NOTHING)
    if (this.#isOver) return Promise.resolve(GONE)
    this.#clearTimer()
    const polled = new Promise<Polled>((resolve) => { this.#answer = resolve })
    if (this.#size !== 0) this.#answerPoll()
    else this.#timer = setTimeout(() => { this.#rest(NOTHING) }, this.#options.window)
    return polled
  }

  /** @param last nobody will poll again */
  end (last: boolean): void {
    this.#isEnding = true
    if (this.#size !== 0 && this.#answer !== null) this.#answerPoll()
    else if (this.#size === 0 || last) this.#finish()
  }

  destroy (): void {
    this.#isOver = true
    this.#clearTimer()
    this.#settlePoll(GONE)
    this.#text = ''
    this.#size = 0
    this.#tellWritten()
  }

  #answerPoll (): void {
    if (this.#answer === null || this.#size === 0) return
    const messages = this.#text.split('\n').slice(0, -1)
    this.#taken += this.#size
    this.#text = ''
    this.#size = 0
    this.#rest({ status: 200, messages })
    this.#tellWritten()
    if (this.#isEnding && this.#size === 0) this.#finish()
  }

  // The client has an answer, and has to come back.
  #rest (polled: Polled): void {
    this.#clearTimer()
    this.#settlePoll(polled)
    this.#awaitPoll()
  }

  #finish (): void {
    this.destroy()
    this.#options.ended()
  }

  #awaitPoll (): void {
    this.#timer = setTimeout(() => { this.#options.lost() }, this.#options.timeout)
  }

  #clearTimer (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #settlePoll (polled: Polled): void {
    this.#answer?.(polled)
    this.#answer = null
  }

  #tellWritten (): void {
    for (const written of this.#written.splice(0)) written()
  }
}
