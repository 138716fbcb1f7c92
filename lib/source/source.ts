/** What a stream can be fed from, whatever it is: ask for the next item, or be given them; say that no more are wanted. */
import type { Readable } from 'node:stream'
import { PST_ERR_ARGUMENT } from '../errors.ts'
import { isThenable } from '../thenable.ts'

/** An item is the payload of an event, an event made by `event()`, or bytes. */
export interface PullSource {
  /** The next item. May answer at once. */
  next: () => IteratorResult<unknown, unknown> | PromiseLike<IteratorResult<unknown, unknown>>
  /** No more are wanted: what produces them is told at once, also while somebody waits for the next one. */
  cancel: (reason: unknown) => unknown
}

export interface Observer {
  next: (item: unknown) => void
  error: (error: unknown) => void
  complete: () => void
}

/** RxJS and what is like it: it pushes, and can't be slowed. */
export interface PushSource {
  /** Gives its items from now on. */
  start: (observer: Observer) => void
  /** No more are wanted; told also when there are none, since it may have something to put away. */
  cancel: () => unknown
}

export type Source = PullSource | PushSource

interface WebStream { getReader: () => unknown }

/**
 * Whatever a stream can be fed from: an iterable or an async one, a generator, a stream of Node's, a web stream, a fetch
 * `Response`, an observable. Its items are payloads of events, events made by `event()`, or bytes.
 */
export type AnySource =
  | object & Iterable<unknown>
  | AsyncIterable<unknown>
  | WebStream
  | { readonly status: number, readonly body: WebStream | null }
  | { subscribe (observer: Observer): unknown }

interface Observable {
  subscribe: (observer: Observer) => { unsubscribe?: () => void } | (() => void) | undefined
}

/** What a value may have that makes it a source. */
interface Shape {
  getReader: unknown
  pipe: unknown
  destroy: unknown
  subscribe: unknown
  [Symbol.asyncIterator]: unknown
  [Symbol.iterator]: unknown
}

/**
 * The source that this is; null if it is none: text, bytes and plain objects are answers, not sources. Told by its
 * shape, since the streams and responses of other packages are as good as Node's.
 */
export function toSource (value: unknown): Source | null {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return null
  if (isResponse(value)) return value.body === null ? fromSync([].values()) : fromWeb(value.body)
  const { getReader, pipe, destroy, subscribe, [Symbol.asyncIterator]: iterateLater, [Symbol.iterator]: iterate } = value as Partial<Shape>
  if (typeof getReader === 'function') return fromWeb(value as ReadableStream)
  if (typeof iterateLater === 'function') {
    if (typeof pipe === 'function' && typeof destroy === 'function') return fromReadable(value as Readable)
    return fromAsync(iterateLater.call(value))
  }
  if (typeof iterate === 'function') return fromSync(iterate.call(value))
  return typeof subscribe === 'function' ? fromObservable(value as Observable) : null
}

/** @throws PST_ERR_ARGUMENT if it is none */
export function sourceOf (value: unknown): Source {
  const source = toSource(value)
  if (source === null) throw new PST_ERR_ARGUMENT('pipe', 'an iterable, a stream, a Response or an observable', typeof value)
  return source
}

/** Whether this is what `fetch` answers, Node's or another. */
export function isResponse (value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]'
}

export function isPull (source: Source): source is PullSource {
  return 'next' in source
}

// A generator that waits is not interrupted by `return`, only told to go no further: what it waits for needs the signal.
function fromAsync (iterator: AsyncIterator<unknown>): PullSource {
  return { next: () => iterator.next(), cancel: () => iterator.return?.() }
}

function fromSync (iterator: Iterator<unknown>): PullSource {
  return {
    next: () => {
      const result = iterator.next()
      return isThenable(result.value) ? settled(iterator, result, result.value) : result
    },
    // Not at once: it may be the generator itself that ends the connection.
    cancel: () => Promise.resolve().then(() => iterator.return?.())
  }
}

// Promises among the items are waited for, as `for await` does; and the rest is not wanted when one rejects.
function settled (iterator: Iterator<unknown>, { done }: IteratorResult<unknown>, item: PromiseLike<unknown>): PromiseLike<IteratorResult<unknown>> {
  return item.then((value) => ({ done: done === true, value }), (error: unknown) => {
    iterator.return?.()
    throw error
  })
}

function fromWeb (stream: ReadableStream<unknown>): PullSource {
  const reader = stream.getReader()
  return { next: async () => await reader.read() as IteratorResult<unknown>, cancel: (reason) => reader.cancel(reason) }
}

function fromReadable (stream: Readable): PullSource {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<unknown>
  return { next: () => iterator.next(), cancel: () => destroyed(stream) }
}

// It tells by an event that it failed at that, which ends the process where nobody listens.
function destroyed (stream: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject).once('close', resolve).destroy()
  })
}

function fromObservable (observable: Observable): PushSource {
  let unsubscribe: (() => void) | null = null
  return {
    start: (observer) => {
      const subscription = observable.subscribe(observer)
      unsubscribe = typeof subscription === 'function' ? subscription : () => subscription?.unsubscribe?.()
    },
    cancel: () => {
      const once = unsubscribe
      unsubscribe = null
      once?.()
    }
  }
}
