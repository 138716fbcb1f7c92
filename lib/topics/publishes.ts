/** Publishes that a remote log has not answered yet, and what the app's log is told of those that fail. */
import type { Log as Logger } from '../connection/host.ts'

export class Publishes {
  readonly #logger: Logger
  // Their numbers, in the order in which they began.
  readonly #underWay = new Set<number>()
  #begun = 0
  #failures = 0

  constructor (logger: Logger) {
    this.#logger = logger
  }

  /**
   * Who does not wait for it must not crash because the log is away; nor is the app's log flooded then.
   * @param succeeded is called if it does
   */
  watch (id: Promise<string>, topic: string, succeeded: () => void): void {
    const n = this.#begun++
    this.#underWay.add(n)
    id.then(() => {
      succeeded()
      this.#succeed(n)
    }, (err: unknown) => { this.#fail(n, err, topic) })
  }

  #fail (n: number, err: unknown, topic: string): void {
    this.#underWay.delete(n)
    if (this.#failures++ === 0) this.#logger.error({ err, topic }, 'what was published is not in the log')
  }

  // While one that began before is under way, it may fail yet: an engine that is back does not answer for what it never got.
  #succeed (n: number): void {
    this.#underWay.delete(n)
    if (this.#failures === 0) return
    const [oldest = Infinity] = this.#underWay
    if (oldest < n) return
    this.#logger.info({ failures: this.#failures }, 'what is published is in the log again')
    this.#failures = 0
  }
}
