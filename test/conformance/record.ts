/** What an EventSource tells, in the order in which it does; the same in a page and in Node. */

/** One thing that it told: an event of the stream, or a change of its state. */
export interface Told {
  type: string
  /** Of an event of the stream; `open`, and `error` where the connection was lost, have none. */
  data?: string
  lastEventId?: string
  origin?: string
  /** 0: connecting, 1: open, 2: closed. */
  readyState: number
}

export interface OpenOptions {
  /** The types to listen for, beside `open`, `error`, `message` and `end`. */
  types?: readonly string[]
  withCredentials?: boolean
}

/** As much of an EventSource as is looked at. */
export interface EventSourceLike {
  readonly readyState: number
  readonly url: string
  readonly withCredentials: boolean
  addEventListener: (type: string, listener: (event: Omit<Told, 'readyState'>) => void) => void
  close: () => void
}

export type EventSourceClass = new (url: string, options: { withCredentials: boolean }) => EventSourceLike

export interface Recording {
  source: EventSourceLike
  told: Told[]
}

/** Goes into pages as text: it knows nothing but its arguments. */
export function record (EventSource: EventSourceClass, url: string, options: OpenOptions): Recording {
  const source = new EventSource(url, { withCredentials: options.withCredentials === true })
  const told: Told[] = []
  for (const type of new Set(['open', 'error', 'message', 'end', ...options.types ?? []])) {
    source.addEventListener(type, ({ type, data, lastEventId, origin }) => {
      told.push(data === undefined ? { type, readyState: source.readyState } : { type, data, lastEventId, origin, readyState: source.readyState })
    })
  }
  return { source, told }
}
