/** Takes item after item from a source, as fast as they find room, until one of the two ends. */
import type { Connection, Sent } from '../connection/connection.ts'
import { defer } from '../connection/deferred.ts'
import { noteFailure } from './failure.ts'
import { isPull, type ObservableLike, type PullSource, type Source } from './source.ts'

/** How it went: all was sent, or the connection ended before that. */
export type Piped = 'all' | 'ended'

/** Whose items they are: when its signal aborts, no more are wanted. */
export type Owner = Pick<Connection<object>, 'id' | 'signal' | 'log'>

/** Does something with an item; what it answers is waited for, and false ends it all. */
export type Take = (item: unknown) => Sent

/**
 * Sends item after item; asks for the next one when there is room.
 * @param first is called when the first item was taken, or the source ended without one
 * @throws what the source throws, or what its items can't be sent for
 */
export function pipe (connection: Connection<object>, source: Source, first?: () => void): Promise<Piped> {
  return drain(connection, source, (item) => item instanceof Uint8Array ? connection.chunk(item) : connection.event(item), first)
}

/**
 * Gives item after item to `take`. Settles at once when the signal aborts, and the source is told.
 * @param first is called when the first item was taken, or the source ended without one
 * @throws what the source or `take` throws
 */
export async function drain (owner: Owner, source: Source, take: Take, first: () => void = () => {}): Promise<Piped> {
  const { signal } = owner
  const ended = defer<Piped>()
  const cancel = isPull(source) ? () => { cancelQuietly(owner, source) } : () => {}
  const end = () => {
    cancel()
    ended.settle('ended')
  }
  if (signal.aborted) {
    end()
    return 'ended'
  }
  signal.addEventListener('abort', end, { once: true })
  try {
    return await (isPull(source) ? Promise.race([pull(signal, source, take, first), ended.promise]) : push(signal, source, take, first))
  } catch (error) {
    cancel()
    throw error
  } finally {
    signal.removeEventListener('abort', end)
  }
}

async function pull (signal: AbortSignal, source: PullSource, take: Take, first: () => void): Promise<Piped> {
  let isFirst = true
  for (;;) {
    const coming = source.next()
    const { done, value } = coming instanceof Promise ? await coming : coming
    if (signal.aborted) return 'ended'
    const sent = done === true || take(value)
    if (isFirst) first()
    isFirst = false
    if (done === true) return 'all'
    if (sent !== true && !await sent) return 'ended'
  }
}

function push (signal: AbortSignal, source: ObservableLike, take: Take, first: () => void): Promise<Piped> {
  const { promise, settle } = defer<{ how: Piped } | { error: unknown }>()
  let isOver = false
  const over = (outcome: { how: Piped } | { error: unknown }) => {
    isOver = true
    settle(outcome)
  }
  const subscription = source.subscribe({
    next: (item) => {
      if (isOver) return
      try {
        if (take(item) === false) over({ how: 'ended' })
        first()
      } catch (error) {
        over({ error })
      }
    },
    error: (error) => { over({ error }) },
    complete: () => {
      first()
      over({ how: 'all' })
    }
  })
  const leave = () => { over({ how: 'ended' }) }
  signal.addEventListener('abort', leave, { once: true })
  return promise.then((outcome) => {
    signal.removeEventListener('abort', leave)
    if (typeof subscription === 'function') subscription()
    else subscription.unsubscribe()
    if ('error' in outcome) throw outcome.error
    return outcome.how
  })
}

// What a generator's `finally` throws has nobody left to hear it but the log.
function cancelQuietly (owner: Owner, source: PullSource): void {
  try {
    Promise.resolve(source.cancel(owner.signal.reason)).catch((err: unknown) => { noteFailure(owner, err) })
  } catch (err) {
    noteFailure(owner, err)
  }
}
