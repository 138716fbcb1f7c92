/** The reading end of a response: its bytes as they come, and the events in them. */
import type { OutgoingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { createParser } from 'eventsource-parser'

/** One event, as its client reads it. */
export interface StreamEvent {
  /** `message` unless the server said otherwise. */
  event: string
  data: string
  /** The event's own id, undefined if it has none. */
  id: string | undefined
  /** The reconnection delay that the client was told with this event or since the one before it, ms. */
  retry?: number
}

/** How a stream ended: `complete`, properly; `cut`, without a proper end; `left`, by `close()` or the signal. */
export type StreamEnd = 'complete' | 'cut' | 'left'

/** Iterating gives the events until the stream ends, and throws if it is cut; breaking off the loop leaves. */
export interface OpenStream extends AsyncIterable<StreamEvent> {
  readonly status: number
  readonly headers: Readonly<OutgoingHttpHeaders>
  /** The comments received so far. */
  readonly comments: readonly string[]
  /** Everything received so far, without the framing of HTTP. */
  readonly bytes: Buffer
  /** The same as text. */
  readonly text: string
  /** Settles when the stream has ended. Never rejects. */
  readonly ended: Promise<StreamEnd>
  /** The next event. Rejects if the stream ends before it, or is no event stream. */
  next: () => Promise<StreamEvent>
  /** Leaves, as a client does. */
  close: () => void
}

/** A response whose head is there. */
export interface Answer {
  status: number
  headers: OutgoingHttpHeaders
  body: Readable
  /** Cuts the connection from the client's end. */
  leave: () => void
}

export class ReadStream implements OpenStream {
  readonly status: number
  readonly headers: Readonly<OutgoingHttpHeaders>
  readonly comments: string[] = []
  readonly ended: Promise<StreamEnd>
  readonly #leave: () => void
  readonly #received: Buffer[] = []
  readonly #events: StreamEvent[] = []
  readonly #waiting: Array<() => void> = []
  #end: StreamEnd | null = null
  #hasLeft = false

  constructor ({ status, headers, body, leave }: Answer) {
    this.status = status
    this.headers = headers
    this.#leave = leave
    this.ended = new Promise((resolve) => {
      const end = (how: StreamEnd) => {
        this.#end ??= how
        resolve(this.#end)
        this.#wake()
      }
      body.on('end', () => { end('complete') })
      body.on('error', () => {})   // 'close' follows
      body.on('close', () => { end(this.#hasLeft ? 'left' : 'cut') })
    })
    const feed = this.#isEventStream ? this.#parser() : () => {}
    body.on('data', (bytes: Buffer) => {
      this.#received.push(bytes)
      feed(bytes)
      this.#wake()
    })
  }

  get bytes (): Buffer {
    return Buffer.concat(this.#received)
  }

  get text (): string {
    return this.bytes.toString()
  }

  async next (): Promise<StreamEvent> {
    const event = await this.#take()
    if (event === undefined) throw this.#noEvent()
    return event
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<StreamEvent, void, undefined> {
    try {
      for (let event = await this.#take(); event !== undefined; event = await this.#take()) yield event
      if (this.#end === 'cut' || !this.#isEventStream) throw this.#noEvent()
    } finally {
      this.close()
    }
  }

  close (): void {
    this.#hasLeft = true
    this.#leave()
  }

  get #isEventStream (): boolean {
    return /^text\/event-stream\s*(?:;|$)/i.test(String(this.headers['content-type']))
  }

  #parser (): (bytes: Buffer) => void {
    const decoder = new TextDecoder()
    let retry: number | undefined
    const parser = createParser({
      onRetry: (ms) => { retry = ms },
      onComment: (text) => { this.comments.push(text) },
      onEvent: ({ event = 'message', data, id }) => {
        this.#events.push({ event, data, id, ...retry !== undefined && { retry } })
        retry = undefined
      }
    })
    return (bytes) => { parser.feed(decoder.decode(bytes, { stream: true })) }
  }

  // An answer that is no stream is short: its text says why.
  async #take (): Promise<StreamEvent | undefined> {
    if (!this.#isEventStream && this.status >= 400) await this.ended
    while (this.#isEventStream && this.#events.length === 0 && this.#end === null) {
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
    return this.#events.shift()
  }

  #wake (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #noEvent (): Error {
    const type = this.headers['content-type'] ?? 'no content type'
    if (!this.#isEventStream) return new Error(`expected an event stream, got ${this.status}, ${String(type)}: ${this.text}`)
    const ends = { complete: 'the stream ended', cut: 'the stream was cut', left: 'the stream was left' }
    return new Error(`${ends[this.#end ?? 'complete']} before the next event; received so far: ${JSON.stringify(this.text)}`)
  }
}
