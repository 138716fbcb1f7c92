/** Producers of resumable streams: each topic is fed once, whoever listens, until nobody does. */
import type { Cluster } from '../cluster/cluster.ts'
import type { Log } from '../connection/host.ts'
import type { Record } from '../topics/record.ts'
import type { Topics } from '../topics/topics.ts'
import { Attention } from './attention.ts'
import { Claims, isTaken } from './claims.ts'
import { Guards } from './guards.ts'
import { type Production, Run } from './run.ts'
import { Writer } from './writer.ts'

export class Producers {
  readonly #topics: Topics
  readonly #log: Log
  readonly #runs = new Map<string, Run>()
  readonly #claims: Claims
  readonly #attention: Attention
  readonly #guards: Guards
  #isStopped = false

  constructor (topics: Topics, cluster: Cluster, log: Log) {
    this.#topics = topics
    this.#log = log
    this.#claims = new Claims(topics)
    this.#attention = new Attention(cluster, (topic) => {
      this.#attend(topic)
      this.#guards.check(topic)
    })
    this.#guards = new Guards(topics, (topic) => this.#isFed(topic), log)
    topics.watch({
      active: (topic) => { this.#attend(topic) },
      idle: (topic) => {
        this.#guards.delete(topic)
        this.#attention.say('hears', topic, false)
        this.#attend(topic)
      },
      heard: (record) => { this.#hear(record) },
      lost: () => { this.#claims.lost() }
    })
  }

  /**
   * Starts what feeds the topic, unless it runs or has run. Resolves with its first item, or when it is stopped.
   * @throws what it throws before that: then nothing was produced, and the next one may try again
   */
  async run (topic: string, production: Production): Promise<void> {
    const running = this.#runs.get(topic)
    if (running?.isVoid === false) return await running.first
    if (this.#isStopped) return
    const run = new Run(production, new Writer(this.#topics, topic, production.events), this.#log, this.#attention.isShared)
    this.#runs.set(topic, run)
    void this.#feed(topic, run)
    await run.first
  }

  /** Whether something feeds the topic. */
  isRunning (topic: string): boolean {
    return this.#runs.has(topic)
  }

  /**
   * A client of this process waits for what the topic is fed with: should there be nobody who feeds it, it ends.
   * @param errorData what clients are told of an error
   * @param feed runs it here, should nothing come of what another one does
   */
  guard (topic: string, errorData: (error: unknown) => unknown, feed: () => void): void {
    if (!this.#attention.isShared || this.#isStopped) return
    this.#guards.add(topic, errorData, feed)
    this.#attention.say('hears', topic, true)
    void this.#attention.known().then(() => { this.#guards.check(topic) })
  }

  /** Stops all of them. */
  stop (): void {
    this.#isStopped = true
    this.#guards.stop()
    for (const run of this.#runs.values()) run.stop('shutdown')
  }

  async #feed (topic: string, run: Run): Promise<void> {
    await run.feed(() => this.#win(topic))
    if (run.hasWon && run.isFruitless) {
      await Promise.resolve(this.#attention.isShared ? this.#claims.giveUp(topic) : null)
        .catch((err: unknown) => { this.#log.error({ err }, 'what is not produced after all can\'t be left to others') })
    }
    if (this.#runs.get(topic) === run) {
      this.#runs.delete(topic)
      this.#attention.say('feeds', topic, false)
    }
    run.attend()   // its last client may have left while it came to its end
    this.#guards.check(topic)
  }

  async #win (topic: string): Promise<boolean> {
    if (!this.#attention.isShared) return !await isTaken(this.#topics, topic)
    this.#attention.say('feeds', topic, true)
    return await this.#claims.win(topic)
  }

  #isFed (topic: string): boolean | null {
    if (this.#runs.has(topic) || this.#attention.isSo('feeds', topic)) return true
    return this.#attention.isUpToDate ? false : null
  }

  // Its clients may be here, or at other nodes.
  #attend (topic: string): void {
    const run = this.#runs.get(topic)
    if (this.#topics.subscribers(topic as never) !== 0 || this.#attention.isSo('hears', topic)) run?.attend()
    else run?.leave()
  }

  #hear (record: Record): void {
    this.#claims.heard(record)
    if (record.producer === '') this.#guards.givenUp(record.topic)
    if (record.ends === undefined) return
    this.#guards.delete(record.topic)
    this.#runs.get(record.topic)?.overtaken()
  }
}
