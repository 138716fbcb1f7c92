/** Takes item after item from a source, as fast as they find room, until one of the two ends. */
import type { Connection } from '../connection/connection.ts'
import { defer } from '../connection/deferred.ts'
import type { Sent } from '../connection/sender.ts'
import { FAIR_SHARE, nextTurn } from '../connection/tick.ts'
import { isThenable } from '../thenable.ts'
import { noteFailure } from './failure.ts'
import { isPull, type PullSource, type PushSource, type Source, sourceOf } from './source.ts'

// Of what it sends a connection takes care; a source may also have nothing to send, and no end of it.
const READ_CLOCK_EVERY = 64

/** How it went: all was sent, or the connection ended before that. */
export type Piped = 'all' | 'ended'

/** Whose items they are: when its signal aborts, no more are wanted. */
export type Owner = Pick<Connection<object>, 'id' | 'signal' | 'log'>

/** Does something with an item; what it answers is waited for, and false ends it all. */
export type Take = (item: unknown) => Sent

/** What the two kinds of sources have in common. */
interface Draining {
  signal: AbortSignal
  take: Take
  first: () => void
  /** Tells the source that no more is wanted. */
  cancel: () => void
}

/**
 * Sends item after item; asks for the next one when there is room.
 * @param first is called when the first item was taken
 * @throws what the source throws, or what its items can't be sent for
 */
export function pipe (connection: Connection<object>, source: Source, first?: () => void): Promise<Piped> {
  return drain(connection, source, (item) => item instanceof Uint8Array ? connection.chunk(item) : connection.event(item), first)
}

/**
 * Gives item after item to `take`. Settles at once when the signal aborts, and the source is told.
 * @param first is called when the first item was taken
 * @throws what the source or `take` throws
 */
export async function drain (owner: Owner, source: Source, take: Take, first: () => void = () => {}): Promise<Piped> {
  const { signal } = owner
  const ended = defer<Piped>()
  let noted: unknown
  const note = (error: unknown) => {
    if (error !== noted) noteFailure(owner, error)   // a Readable tells it to those who read, and to those who destroy it
    noted = error
  }
  const cancel = () => { stop(source, signal.reason).catch(note) }
  const end = () => {
    cancel()
    ended.settle('ended')
  }
  if (signal.aborted) {
    end()
    return 'ended'
  }
  signal.addEventListener('abort', end, { once: true })
  const draining = { signal, take, first, cancel }
  const drained = (isPull(source) ? pull(source, draining) : push(source, draining)).catch((error: unknown) => {
    if (!signal.aborted) throw error
    note(error)
    return 'ended' as const
  })
  try {
    return await Promise.race([drained, ended.promise])
  } finally {
    signal.removeEventListener('abort', end)
  }
}

async function pull (source: PullSource, { signal, take, first, cancel }: Draining): Promise<Piped> {
  let isFirst = true
  let began = performance.now()
  for (let asked = 1; ; asked++) {
    const coming = source.next()
    const { done, value } = isThenable(coming) ? await coming : coming
    if (signal.aborted) return 'ended'
    try {
      const sent = done === true || take(value)
      if (isFirst && done !== true) first()
      isFirst = false
      if (sent !== true && !await sent) return 'ended'
    } catch (error) {
      cancel()
      throw error
    }
    if (done === true) return 'all'
    if (asked % READ_CLOCK_EVERY !== 0 || performance.now() - began < FAIR_SHARE) continue
    await nextTurn()
    if (signal.aborted) return 'ended'
    began = performance.now()
  }
}

function push (source: PushSource, { signal, take, first, cancel }: Draining): Promise<Piped> {
  return new Promise<Piped>((resolve, reject) => {
    let isOver = false
    const fail = (thrown: unknown) => {
      isOver = true
      reject(thrown)
    }
    const next = (item: unknown) => {
      if (isOver || signal.aborted) return
      try {
        const sent = take(item)
        if (sent === false) resolve('ended')
        else if (sent !== true) sent.then(undefined, fail)
        first()
      } catch (error) {
        fail(error)
      }
    }
    const complete = () => {
      isOver = true
      resolve('all')
    }
    source.start({ next, error: fail, complete })
    if (signal.aborted) resolve('ended')   // while it emitted, when it could not be told yet
  }).finally(cancel)
}

/**
 * The source that is promised; null if the connection ends first: then one that comes late is told, and a failure noted.
 * @throws PST_ERR_ARGUMENT, and what the promise rejects with
 */
export async function arrival (connection: Connection<object>, coming: PromiseLike<unknown>): Promise<Source | null> {
  const { signal } = connection
  const ended = defer<null>()
  const end = () => { ended.settle(null) }
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    return await Promise.race([arrive(connection, coming), ended.promise])
  } finally {
    signal.removeEventListener('abort', end)
  }
}

async function arrive (connection: Connection<object>, coming: PromiseLike<unknown>): Promise<Source | null> {
  try {
    const source = sourceOf(await coming)
    if (connection.reason === null) return source
    dismiss(connection, source)
  } catch (error) {
    if (connection.reason === null) throw error
    noteFailure(connection, error)
  }
  return null
}

/** Tells a source that nobody asks for anything that nothing is wanted. */
export function dismiss (connection: Connection<object>, source: Source): void {
  stop(source, connection.reason).catch((error: unknown) => { noteFailure(connection, error) })
}

async function stop (source: Source, reason: unknown): Promise<void> {
  await source.cancel(reason)
}
