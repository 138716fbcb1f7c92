/** A log on an engine, as far as it is the same on every engine: read from the mirror, and followed by one tail for all. */
import type { Batch, Log, Stock, Watcher } from '../lib/topics/log.ts'
import type { Draft, Record } from '../lib/topics/record.ts'
import type { Retention } from '../lib/topics/retained.ts'
import type { Block } from './blocks.ts'
import { Mirror } from './mirror.ts'
import { inTime } from './unavailable.ts'

export abstract class MirroredLog implements Log {
  protected readonly mirror: Mirror
  #tail: { stop: () => Promise<void> } | null = null

  /** @param timeout of what is read from the engine, ms */
  constructor (retention: Retention, timeout: number) {
    this.mirror = new Mirror(retention, (after) => inTime(this.fetch(after), timeout))
  }

  get epoch (): string {
    return this.mirror.epoch
  }

  get head (): number {
    return this.mirror.head
  }

  get stock (): Stock {
    return this.mirror.retained
  }

  follow (listener: (record: Record) => void, watcher?: Watcher): () => Promise<void> {
    const leave = this.mirror.follow(listener, watcher)
    this.#tail ??= this.listen()
    return async () => {
      leave()
      if (this.mirror.isFollowed) return
      const tail = this.#tail
      this.#tail = null
      await tail?.stop()
    }
  }

  abstract append (draft: Draft): Promise<string>

  read (topics: Iterable<string>, after: number, limit: number): Batch | null | Promise<Batch | null> {
    return this.mirror.read(topics, after, limit)
  }

  isTrimmed (topics: Iterable<string>, after: number): boolean {
    return this.mirror.isTrimmed(topics, after)
  }

  earliest (topics: Iterable<string>): number {
    return this.mirror.earliest(topics)
  }

  /** Hears what is appended, until it is stopped. */
  protected abstract listen (): { stop: () => Promise<void> }

  /** Reads a block from the engine, which goes further than `after`. */
  protected abstract fetch (after: number): Promise<Block>
}
