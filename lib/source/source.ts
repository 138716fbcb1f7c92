/** What a stream can be fed from, whatever it is: ask for the next item, or be given them; say that no more are wanted. */
import { Readable } from 'node:stream'

/** An item is the payload of an event, an event made by `event()`, or bytes. */
export interface PullSource {
  /** The next item. May answer at once. */
  next: () => IteratorResult<unknown, unknown> | Promise<IteratorResult<unknown, unknown>>
  /** No more are wanted: what produces them is told at once, also while somebody waits for the next one. */
  cancel: (reason: unknown) => unknown
}

export interface Observer {
  next: (item: unknown) => void
  error: (error: unknown) => void
  complete: () => void
}

/** RxJS and what is like it: it pushes, and can't be slowed. */
export interface ObservableLike {
  subscribe: (observer: Observer) => { unsubscribe: () => void } | (() => void)
}

export type Source = PullSource | ObservableLike

/** The source that this is; null if it is none: text, bytes and plain objects are answers, not sources. */
export function toSource (value: unknown): Source | null {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return null
  if (value instanceof Response) return value.body === null ? fromSync([].values()) : fromWeb(value.body)
  if (value instanceof ReadableStream) return fromWeb(value)
  if (value instanceof Readable) return fromReadable(value)
  const { [Symbol.asyncIterator]: iterateLater, [Symbol.iterator]: iterate, subscribe } = value as Partial<AsyncIterable<unknown> & Iterable<unknown> & ObservableLike>
  if (typeof iterateLater === 'function') return fromAsync(iterateLater.call(value))
  if (typeof iterate === 'function') return fromSync(iterate.call(value))
  return typeof subscribe === 'function' ? value as ObservableLike : null
}

export function isPull (source: Source): source is PullSource {
  return 'next' in source
}

// A generator that waits is not interrupted by `return`, only told to go no further: what it waits for needs the signal.
function fromAsync (iterator: AsyncIterator<unknown>): PullSource {
  return { next: () => iterator.next(), cancel: () => iterator.return?.() }
}

// Not at once: it may be the generator itself that ends the connection.
function fromSync (iterator: Iterator<unknown>): PullSource {
  return { next: () => iterator.next(), cancel: () => Promise.resolve().then(() => iterator.return?.()) }
}

function fromWeb (stream: ReadableStream<unknown>): PullSource {
  const reader = stream.getReader()
  return { next: async () => await reader.read() as IteratorResult<unknown>, cancel: (reason) => reader.cancel(reason) }
}

function fromReadable (stream: Readable): PullSource {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<unknown>
  return { next: () => iterator.next(), cancel: () => { stream.destroy() } }
}
