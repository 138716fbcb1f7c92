/** Which process feeds a resumable stream, where several share the log: the first that says so there. */
import { defer, type Deferred } from '../connection/deferred.ts'
import { makeId } from '../connection/id.ts'
import { PST_ERR_LOG } from '../errors.ts'
import type { Record } from '../topics/record.ts'
import type { Topics } from '../topics/topics.ts'

interface Claim {
  readonly topic: string
  readonly own: string
  /** Who has said so first, as far as was heard. */
  winner: string | null
  readonly outcome: Deferred<boolean | Error>
}

export class Claims {
  readonly #topics: Topics
  // A topic may have several: one that nobody has a use for any more waits for its outcome too.
  readonly #pending = new Set<Claim>()

  constructor (topics: Topics) {
    this.#topics = topics
  }

  /**
   * Whether this process shall feed the topic. No other one will then, before it gives up or the topic ends.
   * @throws PST_ERR_LOG
   */
  async win (topic: string): Promise<boolean> {
    const claim: Claim = { topic, own: makeId(), winner: null, outcome: defer() }
    this.#pending.add(claim)   // what is not heard from now on is found in the log
    try {
      if (await isTaken(this.#topics, topic)) return false
      await this.#say(topic, claim.own)
      const outcome = await claim.outcome.promise
      if (outcome instanceof Error) throw outcome
      return outcome
    } finally {
      this.#pending.delete(claim)
    }
  }

  /** Nothing came of it: another one may try. */
  async giveUp (topic: string): Promise<void> {
    await this.#say(topic, '')
  }

  heard ({ topic, producer }: Record): void {
    if (producer === undefined) return
    for (const claim of this.#pending) {
      if (claim.topic !== topic) continue
      if (producer === '') claim.winner = null
      else claim.winner ??= producer
      if (producer === claim.own) claim.outcome.settle(claim.winner === producer)
    }
  }

  /** What was said last may never be heard. */
  lost (): void {
    for (const { outcome } of this.#pending) outcome.settle(new PST_ERR_LOG('what was said of who feeds a stream was lost'))
  }

  async #say (topic: string, producer: string): Promise<void> {
    await this.#topics.append({ topic, data: '', json: false, begins: true, producer })
  }
}

/** Whether somebody feeds the topic, or has fed it. */
export async function isTaken (topics: Topics, topic: string): Promise<boolean> {
  const { what } = await topics.remains(null, topic)
  return what !== 'none'
}
