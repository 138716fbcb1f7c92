/** Producers of resumable streams: each topic is fed once, whoever listens, until nobody does. */
import type { Log } from '../connection/host.ts'
import type { Topics } from '../topics/topics.ts'
import { type Production, Run } from './run.ts'
import { Writer } from './writer.ts'

export class Producers {
  readonly #topics: Topics
  readonly #log: Log
  readonly #runs = new Map<string, Run>()
  #isStopped = false

  constructor (topics: Topics, log: Log) {
    this.#topics = topics
    this.#log = log
    topics.watch((event, topic) => {
      if (event === 'active') this.#runs.get(topic)?.attend()
      else this.#runs.get(topic)?.leave()
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
    const run = new Run(production, new Writer(this.#topics, topic, production.events), this.#log)
    this.#runs.set(topic, run)
    void this.#feed(topic, run)
    await run.first
  }

  /** Whether something feeds the topic. */
  isRunning (topic: string): boolean {
    return this.#runs.has(topic)
  }

  /** Stops all of them. */
  stop (): void {
    this.#isStopped = true
    for (const run of this.#runs.values()) run.stop('shutdown')
  }

  async #feed (topic: string, run: Run): Promise<void> {
    await run.feed()
    if (this.#runs.get(topic) === run) this.#runs.delete(topic)
    run.attend()   // its last client may have left while it came to its end
  }
}
