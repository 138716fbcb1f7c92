/** What a process knows of a log on an engine: the newest part of it, where it is, and who follows it. */
import type { Batch, Watcher } from '../lib/topics/log.ts'
import { isProduced } from '../lib/topics/produced.ts'
import type { Record } from '../lib/topics/record.ts'
import { Retained, type Retention } from '../lib/topics/retained.ts'
import { type Block, Blocks } from './blocks.ts'
import { Whereabouts } from './whereabouts.ts'

interface Follower { readonly listener: (record: Record) => void, readonly watcher: Watcher | undefined }

// What others append by mistake is told of at most so often, ms.
const REFUSAL_EVERY = 60_000

export class Mirror {
  readonly #retention: Retention
  readonly #fetch: (after: number) => Promise<Block>
  readonly #blocks: Blocks
  readonly #followers = new Set<Follower>()
  #retained: Retained
  #epoch = ''
  #head = 0
  // The engine has nothing any more up to here.
  #trimmed = 0
  // What came before this was not heard here.
  #since = 0
  #whereabouts = new Whereabouts()
  #survey: Promise<void> | null = null
  #refused = -Infinity

  /** @param fetch reads a block from the engine, which goes further than `after` */
  constructor (retention: Retention, fetch: (after: number) => Promise<Block>) {
    this.#retention = retention
    this.#fetch = fetch
    this.#blocks = new Blocks(fetch)
    this.#retained = new Retained(retention)
  }

  get epoch (): string {
    return this.#epoch
  }

  get head (): number {
    return this.#head
  }

  /** What of the newest part is here. */
  get retained (): Retained {
    return this.#retained
  }

  get isFollowed (): boolean {
    return this.#followers.size !== 0
  }

  /** What is appended up to `since` is not here, and what comes next is taken. */
  begin (epoch: string, since: number): void {
    this.#epoch = epoch
    this.#head = since
    this.#since = since
    this.#whereabouts = new Whereabouts()
    this.#survey = null
    this.#retained = new Retained(this.#retention, since)
    this.#blocks.clear()
  }

  follow (listener: (record: Record) => void, watcher: Watcher | undefined): () => void {
    const follower = { listener, watcher }
    this.#followers.add(follower)
    return () => { this.#followers.delete(follower) }
  }

  /** Takes the log's next records. */
  take (records: readonly Record[]): void {
    const now = performance.now()
    for (const record of records) {
      this.#head = record.offset
      this.#retained.add(record, now)
      this.#whereabouts.note(record)
      for (const { listener } of this.#followers) listener(record)
    }
  }

  /** Nothing but what was taken is up to this offset. */
  skipTo (offset: number): void {
    this.#retained.skipTo(offset)
    this.#head = Math.max(this.#head, offset)
  }

  /** The engine has nothing any more up to this offset. */
  trim (offset: number): void {
    this.#trimmed = Math.max(this.#trimmed, offset)
    this.#whereabouts.trim(this.#trimmed)
  }

  /**
   * What lies between the head and this offset is lost here; in another epoch, all that was before it.
   * @param trimmed the engine has nothing any more up to here
   */
  lose (epoch: string, offset: number, trimmed: number): void {
    const last = { epoch: this.#epoch, offset: this.#head }
    this.#trimmed = trimmed
    this.begin(epoch, Math.max(this.#head, offset))
    for (const { watcher } of this.#followers) watcher?.lost(last)
  }

  fail (err: unknown): void {
    for (const { watcher } of this.#followers) watcher?.failed(err)
  }

  recover (): void {
    for (const { watcher } of this.#followers) watcher?.recovered()
  }

  /** @param entry as the engine names it */
  refuse (err: unknown, entry: string): void {
    const now = performance.now()
    if (this.#followers.size === 0 || now - this.#refused < REFUSAL_EVERY) return
    this.#refused = now
    for (const { watcher } of this.#followers) watcher?.refused(err, entry)
  }

  read (topics: Iterable<string>, after: number, limit: number): Batch | null | Promise<Batch | null> {
    const names = [...topics]
    this.#retained.trim(performance.now())
    return this.#retained.read(names, after, limit) ?? this.#readOlder(names, after, limit)
  }

  isTrimmed (topics: Iterable<string>, after: number): boolean {
    return this.earliest(topics) > after
  }

  earliest (topics: Iterable<string>): number {
    let offset = 0
    // What is not here may be on the engine, as far as that reaches.
    for (const topic of topics) offset = Math.max(offset, Math.min(this.#retained.since(topic), this.#trimmed))
    return offset
  }

  async #readOlder (topics: readonly string[], after: number, limit: number): Promise<Batch | null> {
    const wanted = new Set(topics)
    const records: Record[] = []
    let size = 0
    for (let through = topics.every(isProduced) ? await this.#before(topics, after) : after; ;) {
      if (this.isTrimmed(topics, after)) return null
      const rest = this.#retained.read(topics, through, limit - size)
      if (rest !== null) return { records: [...records, ...rest.records], through: Math.max(through, rest.through) }
      const block = await this.#blocks.around(through)
      for (const record of block.records) {
        if (record.offset <= through || !wanted.has(record.topic)) continue
        records.push(record)
        size += record.size
        if (size >= limit) return this.isTrimmed(topics, after) ? null : { records, through: record.offset }
      }
      through = block.through
    }
  }

  // Up to there, at least, these topics of resumable streams have nothing behind `after`.
  async #before (topics: readonly string[], after: number): Promise<number> {
    for (let known = null; known !== this.#whereabouts && after < this.#since;) {
      known = this.#whereabouts
      await (this.#survey ??= this.#surveyAll(known, this.#since))
    }
    const next = Math.min(...topics.map((topic) => Math.min(this.#whereabouts.next(topic, after) - 1, this.#retained.since(topic))))
    return Math.max(after, next)
  }

  // Once: from then on it is known of all that comes.
  async #surveyAll (whereabouts: Whereabouts, since: number): Promise<void> {
    try {
      for (let through = this.#trimmed; through < since;) {
        const block = await this.#fetch(through)
        for (const record of block.records) whereabouts.note(record)
        through = block.through
      }
    } catch (err) {
      if (whereabouts === this.#whereabouts) this.#survey = null
      throw err
    }
  }
}
