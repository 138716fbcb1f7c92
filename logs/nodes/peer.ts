/** What is known here of another node: all that it says, up to a version. */
import type { All, Change, Said } from './message.ts'

// So many announcements are kept that came ahead of what they follow; then all is asked for once more.
const MAX_EARLY = 1_000

export class Peer {
  /** What it says under its keys. */
  readonly said = new Map<string, string>()
  /** The highest version that it is known to have reached. */
  target = 0
  /** When a message of it came last, and when it was asked for all that it says, ms. */
  heard = -Infinity
  asked = -Infinity
  // -1: nothing is known, not even that it has said nothing.
  #version = -1
  #early: Said[] = []
  #parts: All[] = []
  readonly #changed: (key: string, value: string | null) => void

  constructor (changed: (key: string, value: string | null) => void) {
    this.#changed = changed
  }

  /** Whether it has said more than is known here. */
  get isBehind (): boolean {
    return this.#version < this.target
  }

  /** It has said something. */
  take (said: Said): void {
    this.target = Math.max(this.target, said.version)
    if (said.after === 0) this.#version = Math.max(this.#version, 0)   // before that there was nothing
    if (said.version <= this.#version) return
    if (said.after !== this.#version) {
      if (this.#early.length === MAX_EARLY) this.#early = []
      this.#early.push(said)
      return
    }
    this.#version = said.version
    for (const change of said.changes) this.#apply(change)
  }

  /** It tells all that it says, in parts that come one behind the other. */
  takeAll (part: All): void {
    if (part.part === 0) this.#parts = []
    if (part.part !== this.#parts.length || (part.part !== 0 && part.version !== this.#parts[0]?.version)) return
    this.#parts.push(part)
    if (!part.isLast) return
    const { version } = part
    const all = new Map(this.#parts.flatMap(({ changes }) => changes))
    this.#parts = []
    if (version < this.#version) return
    this.target = Math.max(this.target, version)
    this.#version = version
    for (const key of [...this.said.keys()]) if (!all.has(key)) this.#apply([key, null])
    for (const change of all) this.#apply(change)
    const early = this.#early
    this.#early = []
    for (const said of early) this.take(said)
  }

  /** It has died. */
  drop (): void {
    for (const key of [...this.said.keys()]) this.#apply([key, null])
  }

  #apply ([key, value]: Change): void {
    if (this.said.get(key) === (value ?? undefined)) return
    if (value === null) this.said.delete(key)
    else this.said.set(key, value)
    this.#changed(key, value)
  }
}
