/** A log that answers later, as one on another machine does: what is appended is heard later too, and read as far as it was heard. */
import { type Batch, type Draft, type Log, memoryLog, type Record, type Retention } from '../../index.ts'

const turn = () => new Promise<void>((resolve) => { setImmediate(resolve) })

export class RemoteLog implements Log {
  head = 0
  /** How often it was read. */
  reads = 0
  /** While it stands, reads wait for it. */
  held: Promise<void> | null = null
  /** What reads fail with. */
  failure: Error | null = null
  readonly #engine: Log
  readonly #listeners = new Set<(record: Record) => void>()
  #hearing = Promise.resolve()

  constructor (retention: Partial<Retention> = {}) {
    this.#engine = memoryLog(retention)
    void this.#engine.follow((record) => {
      this.#hearing = this.#hearing.then(turn).then(() => {
        this.head = record.offset
        for (const listener of this.#listeners) listener(record)
      })
    })
  }

  get epoch (): string {
    return this.#engine.epoch
  }

  follow (listener: (record: Record) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  async append (draft: Draft): Promise<string> {
    await turn()
    return await this.#engine.append(draft)
  }

  async read (topics: Iterable<string>, after: number, limit: number): Promise<Batch | null> {
    const names = [...topics]
    this.reads++
    await (this.held ?? turn())
    if (this.failure !== null) throw this.failure
    const batch = await this.#engine.read(names, after, limit)
    if (batch === null) return null
    const records = batch.records.filter(({ offset }) => offset <= this.head)
    return { records, through: Math.min(batch.through, this.head) }
  }

  isTrimmed (topics: Iterable<string>, after: number): boolean {
    return this.#engine.isTrimmed(topics, after)
  }

  earliest (topics: Iterable<string>): number {
    return this.#engine.earliest(topics)
  }
}
