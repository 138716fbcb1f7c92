/** Producers of resumable streams: each feeds a topic once, whoever listens, and is told to stop when nobody does. */
import type { Log } from '../connection/host.ts'
import { nextTurn } from '../connection/tick.ts'
import { PST_ERR_ABANDONED, PST_ERR_ARGUMENT, PST_ERR_CHUNK, PST_ERR_ID } from '../errors.ts'
import type { Topics } from '../topics/topics.ts'
import { StreamEvent } from '../wire/stream-event.ts'
import { drain, type Owner } from './pipe.ts'
import { toSource } from './source.ts'

/** What a producer knows of itself. */
export interface Producer {
  /** Names what it produces: who asks for the same key gets the same stream. */
  readonly key: string
  /** Aborts when nobody has listened for `abandonAfter`, and when the app closes. */
  readonly signal: AbortSignal
}

/** What is to be produced, and on what terms. */
export interface Production {
  key: string
  /** ms; 0: it runs to its end, whoever listens. */
  abandonAfter: number
  /** What clients are told of an error. */
  errorData: (error: unknown) => unknown
  /** Makes the source. */
  produce: (producer: Producer) => unknown
}

interface Run { readonly first: Promise<void>, readonly abort: AbortController, readonly abandonAfter: number, timer: NodeJS.Timeout | null }

// A source that never waits lets others have the event loop after so long, ms.
const FAIR_SHARE = 5

const SHUTDOWN = 'shutdown'

export class Producers {
  readonly #topics: Topics
  readonly #log: Log
  readonly #runs = new Map<string, Run>()

  constructor (topics: Topics, log: Log) {
    this.#topics = topics
    this.#log = log
    topics.watch((event, topic) => { this.#watch(event, topic) })
  }

  /**
   * Starts what feeds the topic, unless it runs. Resolves with its first item.
   * @throws what it throws before that: then nothing was produced, and the next one may try again
   */
  run (topic: string, production: Production): Promise<void> {
    const running = this.#runs.get(topic)
    if (running !== undefined) return running.first
    const abort = new AbortController()
    const first = new Promise<void>((resolve, reject) => {
      // Not at once: it shall find itself running.
      queueMicrotask(() => { void this.#feed(topic, production, abort, resolve, reject) })
    })
    this.#runs.set(topic, { first, abort, abandonAfter: production.abandonAfter, timer: null })
    return first
  }

  /** Whether something feeds the topic. */
  isRunning (topic: string): boolean {
    return this.#runs.has(topic)
  }

  /** Stops all of them. */
  stop (): void {
    for (const { abort, timer } of this.#runs.values()) {
      if (timer !== null) clearTimeout(timer)
      abort.abort(SHUTDOWN)
    }
  }

  #watch (event: 'active' | 'idle', topic: string): void {
    const run = this.#runs.get(topic)
    if (run === undefined) return
    if (run.timer !== null) clearTimeout(run.timer)
    run.timer = event === 'active' || run.abandonAfter === 0 ? null : setTimeout(() => { run.abort.abort('abandoned') }, run.abandonAfter)
  }

  async #feed (topic: string, { key, errorData, produce }: Production, { signal }: AbortController, resolve: () => void, reject: (error: unknown) => void): Promise<void> {
    let hasBegun = false
    const first = () => {
      hasBegun = true
      resolve()
    }
    try {
      const source = toSource(await produce({ key, signal }))
      if (source === null) throw new PST_ERR_ARGUMENT('resumable', 'a handler that returns an iterable, a stream or an observable', 'another kind')
      const owner: Owner = { id: key, signal, log: this.#log }
      if (await drain(owner, source, this.#take(topic), first) === 'ended') throw new PST_ERR_ABANDONED(String(signal.reason))
      await this.#topics.append(topic, '', { ends: 'server' })
    } catch (error) {
      if (!hasBegun) reject(error)
      else if (signal.reason !== SHUTDOWN) await this.#fail(topic, error, errorData)   // else clients come back to another process
    } finally {
      const timer = this.#runs.get(topic)?.timer ?? null
      if (timer !== null) clearTimeout(timer)
      this.#runs.delete(topic)
    }
  }

  // Into the log as fast as it takes it: its clients have cursors, and wait for nobody.
  #take (topic: string): (item: unknown) => boolean | Promise<boolean> {
    let shareBegan = performance.now()
    return (item) => {
      const appended = this.#append(topic, item)
      if (appended instanceof Promise) return appended.then(() => true)
      const now = performance.now()
      if (now - shareBegan < FAIR_SHARE) return true
      return nextTurn().then(() => {
        shareBegan = performance.now()
        return true
      })
    }
  }

  #append (topic: string, item: unknown): string | Promise<string> {
    if (item instanceof Uint8Array) throw new PST_ERR_CHUNK('bytes in a resumable stream, which has events only')
    if (!(item instanceof StreamEvent)) return this.#topics.append(topic, item, {})
    const { data, event, id, retry } = item.fields
    if (id !== undefined) throw new PST_ERR_ID()
    if (data === undefined && event === undefined) return ''   // a comment is for those who are here
    return this.#topics.append(topic, data === undefined ? '' : data, { event, retry })
  }

  async #fail (topic: string, err: unknown, errorData: (error: unknown) => unknown): Promise<void> {
    if (!(err instanceof PST_ERR_ABANDONED)) this.#log.error({ err }, 'the source of a resumable stream failed')
    try {
      await this.#topics.append(topic, errorData(err), { event: 'error' })
      await this.#topics.append(topic, '', { ends: 'error' })
    } catch (err) {
      this.#log.error({ err }, 'the end of a resumable stream could not be told')
    }
  }
}
