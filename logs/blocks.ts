/** Runs of records read from an engine, shared by all who read near the same place at the same time. */
import type { Record } from '../lib/topics/record.ts'

/** All records behind one offset, and up to another. */
export interface Block {
  readonly after: number
  readonly through: number
  readonly records: readonly Record[]
}

interface Reader {
  readonly after: number
  readonly resolve: (block: Block) => void
  readonly reject: (error: unknown) => void
}

// Many who come back at once stand at different places. So much of what they read is kept for those who get there later.
const KEPT = 16
const KEPT_BYTES = 8 * 1024 * 1024

export class Blocks {
  readonly #fetch: (after: number) => Promise<Block>
  // The one that was used last comes first.
  #kept: Block[] = []
  #bytes = new Map<Block, number>()
  #readers: Reader[] = []
  #isRunning = false
  // Up to where the last one went: the next one begins behind that, so that nobody waits for all who come in front of him.
  #place = 0
  #life = 0

  /** @param fetch reads one block, which goes further than `after` */
  constructor (fetch: (after: number) => Promise<Block>) {
    this.#fetch = fetch
  }

  /** The block that has what follows this offset, and maybe what is before it. */
  async around (after: number): Promise<Block> {
    const kept = this.#kept.find((block) => covers(block, after))
    if (kept !== undefined) {
      this.#kept = [kept, ...this.#kept.filter((block) => block !== kept)]
      return kept
    }
    return await new Promise((resolve, reject) => {
      this.#readers.push({ after, resolve, reject })
      if (this.#isRunning) return
      this.#isRunning = true
      setImmediate(() => { void this.#run() })   // who comes in the same turn can share the first one
    })
  }

  /** Forgets what is kept, and what is under way when it is there. */
  clear (): void {
    this.#life++
    this.#kept = []
    this.#bytes.clear()
  }

  // One read at a time, from the first place that somebody waits at: those behind it wait for what it brings.
  async #run (): Promise<void> {
    while (this.#readers.length !== 0) {
      const places = this.#readers.map(({ after }) => after)
      const ahead = places.filter((place) => place >= this.#place)
      const after = Math.min(...(ahead.length === 0 ? places : ahead))
      const life = this.#life
      try {
        const block = await this.#fetch(after)
        this.#place = block.through
        if (life === this.#life) this.#keep(block)
        this.#settle((reader) => covers(block, reader.after), ({ resolve }) => { resolve(block) })
      } catch (err) {
        this.#settle((reader) => reader.after >= after, ({ reject }) => { reject(err) })
      }
    }
    this.#isRunning = false
  }

  #settle (isMeant: (reader: Reader) => boolean, settle: (reader: Reader) => void): void {
    const readers = this.#readers
    this.#readers = readers.filter((reader) => !isMeant(reader))
    for (const reader of readers) if (isMeant(reader)) settle(reader)
  }

  #keep (block: Block): void {
    this.#bytes.set(block, block.records.reduce((sum, { weight }) => sum + weight, 0))
    this.#kept.unshift(block)
    let bytes = 0
    this.#kept = this.#kept.filter((kept, i) => {
      bytes += this.#bytes.get(kept) as number
      const isKept = i < KEPT && bytes <= KEPT_BYTES
      if (!isKept) this.#bytes.delete(kept)
      return isKept
    })
  }
}

function covers ({ after, through }: Block, offset: number): boolean {
  return after <= offset && offset < through
}
