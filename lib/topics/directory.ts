/** Who is subscribed to what: the groups of cursors, and the topics that lead to them. */
import type { Format } from '../wire/format.ts'
import type { Cursor } from './cursor.ts'
import { Group } from './group.ts'
import { Queue } from './queue.ts'
import type { Filter, Subscriptions } from './selection.ts'

type News = 'active' | 'idle'

interface Entry { connections: number, readonly groups: Set<Group> }

export class Directory {
  readonly #byTopic = new Map<string, Entry>()
  readonly #byKey = new Map<string, Group>()
  readonly #tell: (event: News, topic: string) => void
  // What came about and is not told yet: listeners may move cursors again.
  readonly #news = new Queue<[event: News, topic: string]>()
  #isTelling = false

  /** @param tell is called with `active` for a topic's first connection, with `idle` once its last one has gone */
  constructor (tell: (event: News, topic: string) => void) {
    this.#tell = tell
  }

  /** How many connections are subscribed to the topic. */
  subscribers (topic: string): number {
    return this.#byTopic.get(topic)?.connections ?? 0
  }

  /** Every topic that has subscribers, and how many connections these are. */
  * topics (): IterableIterator<[topic: string, connections: number]> {
    for (const [topic, { connections }] of this.#byTopic) yield [topic, connections]
  }

  /** The groups that the topic's records are for. */
  groups (topic: string): Iterable<Group> {
    return this.#byTopic.get(topic)?.groups ?? []
  }

  /**
   * Moves a cursor from its group to that of other subscriptions; to none if there are none. Call `announce` when it is there.
   * @param head the offset of the log's head
   */
  move (cursor: Cursor, from: Group | null, subscriptions: Subscriptions, head: number): Group | null {
    const to = subscriptions.size === 0 ? null : this.#group(subscriptions, cursor.format, head)
    if (to === from) return to
    const before: Subscriptions = from?.subscriptions ?? NOTHING
    for (const topic of subscriptions.keys()) if (!before.has(topic)) this.#join(topic)
    if (to !== null) {
      if (to.size === 0) this.#enter(to)
      to.size++
    }
    if (from !== null) {
      from.live.delete(cursor)
      from.size--
      if (from.size === 0) this.#remove(from)
    }
    for (const topic of before.keys()) if (!subscriptions.has(topic)) this.#leave(topic)
    return to
  }

  /** Tells of the topics that became active or idle, in the order in which they did. */
  announce (): void {
    if (this.#isTelling) return
    this.#isTelling = true
    for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) this.#tell(...news)
    this.#isTelling = false
  }

  #group (subscriptions: Subscriptions, format: Format, head: number): Group {
    const key = keyOf(subscriptions, format)
    return this.#byKey.get(key) ?? new Group(key, subscriptions, format, head)
  }

  #enter (group: Group): void {
    this.#byKey.set(group.key, group)
    for (const topic of group.subscriptions.keys()) this.#entry(topic).groups.add(group)
  }

  #remove (group: Group): void {
    this.#byKey.delete(group.key)
    for (const topic of group.subscriptions.keys()) this.#entry(topic).groups.delete(group)
  }

  #entry (topic: string): Entry {
    let entry = this.#byTopic.get(topic)
    if (entry === undefined) this.#byTopic.set(topic, entry = { connections: 0, groups: new Set() })
    return entry
  }

  #join (topic: string): void {
    const entry = this.#entry(topic)
    entry.connections++
    if (entry.connections === 1) this.#news.push(['active', topic])
  }

  #leave (topic: string): void {
    const entry = this.#entry(topic)
    entry.connections--
    if (entry.connections !== 0) return
    this.#byTopic.delete(topic)
    this.#news.push(['idle', topic])
  }
}

const NOTHING: Subscriptions = new Map()

// Topics have no line ends. Their order counts: to sort a thousand topics would cost more than it shares.
function keyOf (subscriptions: Subscriptions, format: Format): string {
  let key = `${idOf(format)}\n`
  for (const [topic, filter] of subscriptions) key += filter === null ? topic + '\n' : `${topic}\r${idOf(filter)}\n`
  return key
}

const ids = new WeakMap<Filter | Format, number>()
let given = 0

function idOf (subject: Filter | Format): number {
  let id = ids.get(subject)
  if (id === undefined) ids.set(subject, id = given++)
  return id
}
