/** Sees to it that clients of a resumable stream do not wait for a process that is gone: the stream is ended then. */
import type { Log } from '../connection/host.ts'
import { PST_ERR_ABANDONED } from '../errors.ts'
import type { Topics } from '../topics/topics.ts'
import { shapeFailure } from './failure.ts'
import { Writer } from './writer.ts'

interface Guard {
  readonly errorData: (error: unknown) => unknown
  // Null: it was tried.
  feed: (() => void) | null
  timer: NodeJS.Timeout | null
}

// Until what was said last has certainly come, ms: who has just begun, and the end of who has just ended.
const GRACE = 5_000

export class Guards {
  readonly #topics: Topics
  readonly #isFed: (topic: string) => boolean | null
  readonly #log: Log
  readonly #guards = new Map<string, Guard>()

  /** @param isFed whether any process feeds it; null: that can't be told for now */
  constructor (topics: Topics, isFed: (topic: string) => boolean | null, log: Log) {
    this.#topics = topics
    this.#isFed = isFed
    this.#log = log
  }

  /**
   * Somebody here waits for what the topic is fed with.
   * @param feed makes this process feed it
   */
  add (topic: string, errorData: (error: unknown) => unknown, feed: () => void): void {
    if (!this.#guards.has(topic)) this.#guards.set(topic, { errorData, feed, timer: null })
  }

  /** Nothing has come of it: who waits here tries it, once, so that what always fails comes to its end. */
  givenUp (topic: string): void {
    const guard = this.#guards.get(topic)
    if (guard === undefined) return
    const { feed } = guard
    guard.feed = null
    feed?.()
  }

  delete (topic: string): void {
    clearTimeout(this.#guards.get(topic)?.timer ?? undefined)
    this.#guards.delete(topic)
  }

  /** Who feeds it may be another one now, or nobody. */
  check (topic: string): void {
    const guard = this.#guards.get(topic)
    if (guard === undefined || guard.timer !== null || this.#isFed(topic) === true) return
    guard.timer = setTimeout(() => {
      guard.timer = null
      if (this.#isFed(topic) === false) void this.#end(topic, guard)
      else this.check(topic)
    }, GRACE)
  }

  stop (): void {
    for (const topic of [...this.#guards.keys()]) this.delete(topic)
  }

  // Several processes may come to that, and one of them does it.
  async #end (topic: string, { errorData }: Guard): Promise<void> {
    const err = new PST_ERR_ABANDONED('the process that fed it is gone')
    const blame = (err: unknown) => { this.#log.error({ err }, 'what clients shall be told of a failure can\'t be sent') }
    try {
      const writer = new Writer(this.#topics, topic, null, false)
      const end = shapeFailure(err, errorData, (data) => writer.fail(data), blame)
      if (await end !== null) this.#log.error({ err }, 'a resumable stream has ended without its end')
    } catch (err) {
      blame(err)
      this.check(topic)
    }
  }
}
