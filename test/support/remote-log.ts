/** A log that answers later, as one on another machine does: what is appended is heard later too, and read as far as it was heard. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Batch, type Draft, type Log, memoryLog, type Record, type Retention, type Watcher } from '../../index.ts'

const turn = () => new Promise<void>((resolve) => { setImmediate(resolve) })

export class RemoteLog implements Log {
  head = 0
  /** How often it was read. */
  reads = 0
  /** How long the answer of a read is on its way, ms. */
  pause = 0
  /** While it stands, reads wait for it. */
  held: Promise<void> | null = null
  /** What reads fail with. */
  failure: Error | null = null
  /** What the next append waits for. */
  answer: Promise<void> | null = null
  readonly #retention: Partial<Retention>
  #engine: Log
  readonly #listeners = new Set<(record: Record) => void>()
  #watcher: Watcher | undefined
  #hearing = Promise.resolve()

  constructor (retention: Partial<Retention> = {}) {
    this.#retention = retention
    this.#engine = this.#begin()
  }

  /** Loses what it held, and goes on with offsets behind those that there were. */
  lose (): void {
    const last = { epoch: this.epoch, offset: this.head }
    this.#engine = this.#begin()
    for (let n = 0; n < last.offset; n++) void this.#engine.append({ topic: 'lost', data: '', json: false })
    this.#watcher?.lost(last)
  }

  #begin (): Log {
    const engine = memoryLog(this.#retention)
    void engine.follow((record) => {
      if (record.topic === 'lost') return
      this.#hearing = this.#hearing.then(turn).then(() => {
        if (engine !== this.#engine) return
        this.head = record.offset
        for (const listener of this.#listeners) listener(record)
      })
    })
    return engine
  }

  get epoch (): string {
    return this.#engine.epoch
  }

  follow (listener: (record: Record) => void, watcher?: Watcher): () => void {
    this.#watcher = watcher
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  async append (draft: Draft): Promise<string> {
    await (this.answer ?? turn())
    return await this.#engine.append(draft)
  }

  async read (topics: Iterable<string>, after: number, limit: number): Promise<Batch | null> {
    const names = [...topics]
    this.reads++
    await (this.held ?? turn())
    if (this.failure !== null) throw this.failure
    const batch = await this.#engine.read(names, after, limit)
    if (batch === null) return null
    const { head } = this
    const records = batch.records.filter(({ offset }) => offset <= head)
    if (this.pause !== 0) await delay(this.pause)
    return { records, through: Math.min(batch.through, head) }
  }

  isTrimmed (topics: Iterable<string>, after: number): boolean {
    return this.#engine.isTrimmed(topics, after)
  }

  earliest (topics: Iterable<string>): number {
    return this.#engine.earliest(topics)
  }
}
