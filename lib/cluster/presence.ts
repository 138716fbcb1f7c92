/** `fastify.presence`: who is connected to a topic, on all nodes. */
import { EventEmitter } from 'node:events'
import type { Connection } from '../connection/connection.ts'
import type { Log as Logger } from '../connection/host.ts'
import { PST_ERR_PRESENCE } from '../errors.ts'
import { tell } from '../tell.ts'
import type { Cursor } from '../topics/cursor.ts'
import type { TopicName } from '../topics/topics.ts'
import { encodeData } from '../wire/event-stream.ts'
import { Attendance } from './attendance.ts'
import type { Cluster } from './cluster.ts'

/** A connection that is present on a topic. */
export interface PresenceMember {
  /** The connection's. */
  readonly id: string
  /** The connection's when it came; null if it had none, or one of more than 1024 characters. */
  readonly name: string | null
  /** The id of the node that it is on. */
  readonly node: string
  /** When it came, ms since 1970 by the clock of that node. */
  readonly since: number
  /** What `subscribe` was given; null if that was `true`. */
  readonly data: unknown
}

/** What `app.presence` emits. */
export interface PresenceEvents {
  /** A connection is present from now on. */
  join: [topic: TopicName, member: PresenceMember]
  /** It is not any more. Exactly once for each `join`, on each node. */
  leave: [topic: TopicName, member: PresenceMember]
}

const MAX_DATA = 1_024
const MAX_NAME = 1_024

/** Who is connected to which topic, on all nodes. */
export class Presence extends EventEmitter<PresenceEvents> {
  readonly #cluster: Cluster
  readonly #logger: Logger
  readonly #byTopic = new Map<string, Map<string, PresenceMember>>()

  constructor (cluster: Cluster, logger: Logger) {
    super()
    this.#cluster = cluster
    this.#logger = logger
    cluster.listen({
      changed: (node, key, value) => { this.#change(node, key, value) },
      left: () => {},
      message: () => {}
    })
  }

  /** The id of this node. */
  get node (): string {
    return this.#cluster.use().id
  }

  /** The ids of all living nodes, in alphabetical order. */
  get nodes (): readonly string[] {
    return this.#cluster.use().alive
  }

  /** Who is present on the topic, as far as this node has heard: of another node's connections, some ms ago. */
  list (topic: TopicName): PresenceMember[] {
    this.#cluster.use()
    return [...this.#byTopic.get(topic)?.values() ?? []]
  }

  /** How many `list` gives. */
  count (topic: TopicName): number {
    this.#cluster.use()
    return this.#byTopic.get(topic)?.size ?? 0
  }

  /**
   * @internal What makes a connection present on the topics that it is subscribed to; null if it shall not be.
   * @param data `true`, or what is to be known of it
   * @throws PST_ERR_PRESENCE
   */
  admit (connection: Connection, data: unknown): ((topics: readonly string[]) => void) | null {
    if (data === undefined || data === null || data === false) return null
    const text = encode(data)
    this.#cluster.use()   // a node that is away, or alone, does not keep it from being subscribed
    return (topics) => {
      const cursor = connection.cursor as Cursor
      cursor.attendance ??= new Attendance(this, connection)
      cursor.attendance.add(topics.filter((topic) => cursor.subscriptions.has(topic)), text)
    }
  }

  /** @internal */
  enter ({ id, name }: Connection, topic: string, data: string): void {
    const known = name !== null && name.length > MAX_NAME ? null : name
    this.#cluster.use().set(keyOf(id, topic), `[${JSON.stringify(known)},${Date.now()},${data}]`)
  }

  /** @internal */
  leave ({ id }: Connection, topic: string): void {
    this.#cluster.use().set(keyOf(id, topic), null)
  }

  #change (node: string, key: string, value: string | null): void {
    const end = key.indexOf(' ')
    const [id, topic] = [key.slice(0, end), key.slice(end + 1)]
    const before = this.#byTopic.get(topic)?.get(id)
    if (before !== undefined && before.node !== node) return   // no node speaks of what is another's
    const member = value === null ? null : decode(id, node, value)
    if (before !== undefined) this.#remove(topic, before)
    if (member !== null) this.#add(topic, member)
  }

  #add (topic: string, member: PresenceMember): void {
    let members = this.#byTopic.get(topic)
    if (members === undefined) this.#byTopic.set(topic, members = new Map())
    members.set(member.id, member)
    tell(this, 'join', [topic, member], this.#logger)
  }

  #remove (topic: string, member: PresenceMember): void {
    const members = this.#byTopic.get(topic) as Map<string, PresenceMember>
    members.delete(member.id)
    if (members.size === 0) this.#byTopic.delete(topic)
    tell(this, 'leave', [topic, member], this.#logger)
  }
}

// No id has a space.
function keyOf (id: string, topic: string): string {
  return `${id} ${topic}`
}

function encode (data: unknown): string {
  if (data === true) return 'null'
  const text = typeof data === 'string' ? JSON.stringify(data) : encodeData(data)
  if (Buffer.byteLength(text) > MAX_DATA) throw new PST_ERR_PRESENCE(String(MAX_DATA), String(Buffer.byteLength(text)))
  return text
}

// Null for what another version says, or nobody who knows what a member is.
function decode (id: string, node: string, value: string): PresenceMember | null {
  try {
    const [name, since, data] = JSON.parse(value) as unknown[]
    if ((name !== null && typeof name !== 'string') || !Number.isSafeInteger(since)) return null
    return Object.freeze({ id, name, node, since: since as number, data })
  } catch {
    return null
  }
}
