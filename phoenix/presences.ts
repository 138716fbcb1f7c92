/** Who is present on which topic, and what has changed about that. */
import { makeId } from '../lib/connection/id.ts'
import { encodeData } from '../lib/wire/event-stream.ts'

/** What is known of one presence; `phx_ref` tells it from all others. */
export interface Meta { phx_ref: string, phx_ref_prev?: string, [field: string]: unknown }

/** Presences by key, as clients get them. Made without a prototype: a key may be `__proto__`. */
export type PresenceList = Record<string, { metas: Meta[] }>

/** Who came and who left. */
export interface PresenceDiff { joins: PresenceList, leaves: PresenceList }

/** Metas by key and by whom they are of. */
type Keys = Map<string, Map<object, Meta>>

export class Presences {
  readonly #byTopic = new Map<string, Keys>()
  readonly #diffs = new Map<string, PresenceDiff>()
  readonly #publish: (topic: string, diff: PresenceDiff) => void

  /** @param publish is called with what has changed in a tick */
  constructor (publish: (topic: string, diff: PresenceDiff) => void) {
    this.#publish = publish
  }

  /** Everybody who is present. */
  list (topic: string): PresenceList {
    const list: PresenceList = Object.create(null)
    for (const [key, metas] of this.#byTopic.get(topic) ?? []) list[key] = { metas: [...metas.values()] }
    return list
  }

  /**
   * @param owner what is present under one key once
   * @throws PST_ERR_DATA
   */
  track (topic: string, owner: object, key: string, meta: object): void {
    const copy = JSON.parse(encodeData(meta)) as object   // whatever the app does with it later
    const before = this.#byTopic.get(topic)?.get(key)?.get(owner)
    const tracked: Meta = { ...copy, phx_ref: makeId(), ...before !== undefined && { phx_ref_prev: before.phx_ref } }
    if (before !== undefined) this.#add(topic, 'leaves', key, before)
    this.#add(topic, 'joins', key, tracked)
    let keys = this.#byTopic.get(topic)
    if (keys === undefined) this.#byTopic.set(topic, keys = new Map())
    let metas = keys.get(key)
    if (metas === undefined) keys.set(key, metas = new Map())
    metas.set(owner, tracked)
  }

  untrack (topic: string, owner: object, key: string): void {
    const keys = this.#byTopic.get(topic)
    const metas = keys?.get(key)
    const meta = metas?.get(owner)
    if (keys === undefined || metas === undefined || meta === undefined) return
    this.#add(topic, 'leaves', key, meta)
    metas.delete(owner)
    if (metas.size === 0) keys.delete(key)
    if (keys.size === 0) this.#byTopic.delete(topic)
  }

  /** Publishes what has changed on the topic now, and not at the end of the tick. */
  flush (topic: string): void {
    const diff = this.#diffs.get(topic)
    if (diff === undefined) return
    this.#diffs.delete(topic)
    this.#publish(topic, diff)
  }

  // What changes in one tick goes out together: when a hundred leave at once, the rest is told once.
  #add (topic: string, change: keyof PresenceDiff, key: string, meta: Meta): void {
    let diff = this.#diffs.get(topic)
    if (diff === undefined) {
      this.#diffs.set(topic, diff = { joins: Object.create(null), leaves: Object.create(null) })
      process.nextTick(() => { this.flush(topic) })
    }
    diff[change][key] ??= { metas: [] }
    diff[change][key].metas.push(meta)
  }
}
