/** Reads an event stream as it comes: its events, and where its client would resume. */
import { createParser } from 'eventsource-parser'

export interface SeenEvent {
  event: string
  data: string
  /** The event's own; undefined if it has none. */
  id: string | undefined
}

export interface SeenGap { reason: string, from: string | null, to: string }

export class EventReader {
  readonly events: SeenEvent[] = []
  /** What a browser would send when it reconnects; empty: nothing. */
  lastEventId = ''
  readonly #received: string[] = []
  // What belongs to no complete block yet.
  #incomplete = ''
  readonly #decoder = new TextDecoder()
  readonly #parser = createParser({
    onEvent: ({ event = 'message', data, id }) => { this.events.push({ event, data, id }) }
  })

  /** Everything read so far. */
  get text (): string {
    return this.#received.join('')
  }

  /** The data of all events but gaps. */
  get data (): string[] {
    return this.events.filter(({ event }) => event !== 'gap').map(({ data }) => data)
  }

  /** The ids of all events but gaps. */
  get ids (): Array<string | undefined> {
    return this.events.filter(({ event }) => event !== 'gap').map(({ id }) => id)
  }

  /** What the events that tell of a gap say. */
  get gaps (): SeenGap[] {
    return this.events.filter(({ event }) => event === 'gap').map(({ data }) => JSON.parse(data))
  }

  feed (bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true })
    this.#received.push(text)
    this.#parser.feed(text)
    this.#noteId(text)
  }

  // [spec] an id counts once its block is complete, also if that dispatches nothing.
  #noteId (text: string): void {
    const blocks = (this.#incomplete + text).split('\n\n')
    this.#incomplete = blocks.pop() as string
    for (const block of blocks) {
      const id = /^id: (.*)$/m.exec(block)?.[1]
      if (id !== undefined) this.lastEventId = id
    }
  }
}
