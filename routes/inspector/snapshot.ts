/** What there was at one time: a row for each connection and for each topic, and their sums. */
import type { Connection } from '../../lib/connection/connection.ts'
import type { Phase } from '../../lib/connection/lifecycle.ts'
import type { Subscriptions } from '../../lib/topics/selection.ts'
import type { Feed } from '../../lib/topics/cursor.ts'
import { describeTopic } from './describe-topic.ts'
import type { Own } from './own.ts'
import type { Work } from './slices.ts'
import type { Rate, Traffic } from './traffic.ts'
import { Views } from './views.ts'

/** A connection, with what changes about it as it was then. */
export interface ConnectionRow {
  readonly connection: Connection
  readonly phase: Phase
  readonly bytes: number
  readonly events: number
  /** Bytes in a second since the snapshot before, 0 in the first. */
  readonly rate: number
  readonly queued: number
  /** For how long it has not had everything, ms. */
  readonly behind: number
  /** How many events the log is ahead of it, those of other topics included. */
  readonly lag: number
  readonly subscriptions: Subscriptions
}

export interface TopicRow {
  readonly topic: string
  /** As people read it. */
  readonly name: string
  /** Whether the app may publish on it: the topic of a resumable stream belongs to that. */
  readonly isPublic: boolean
  readonly subscribers: number
  /** Events in memory; null where the log can't tell. */
  readonly retained: number | null
  readonly rate: number
  readonly byteRate: number
}

export interface Totals {
  readonly open: number
  /** Sent since the snapshot before, by those that are still open. */
  readonly bytes: number
  readonly events: number
  readonly queued: number
  /** Connections that have not had everything for longer than a moment. */
  readonly behind: number
  readonly transports: Readonly<Record<string, number>>
  /** The routes with the most connections. */
  readonly routes: ReadonlyArray<readonly [route: string, connections: number]>
}

export interface Snapshot {
  /** ms since 1970. */
  readonly at: number
  readonly takenAt: number
  readonly connections: Views<ConnectionRow>
  readonly topics: Views<TopicRow>
  readonly rows: ReadonlyMap<Connection, ConnectionRow>
  readonly totals: Totals
}

export interface Scene {
  readonly connections: Iterable<Connection>
  readonly feed: Feed
  readonly own: Own
  /** Null where nobody has looked until now, so that nothing is known of it. */
  readonly traffic: Traffic | null
}

// Who has just been written to is not behind, ms.
const MOMENT = 250

const ROUTES_SHOWN = 8
const NOTHING: Subscriptions = new Map()

/**
 * @param before the one before, for what changed since
 * @param rows where they are put, one by one: who leaves meanwhile is counted in here or not
 */
export function * takeSnapshot (scene: Scene, before: Snapshot | null, rows = new Map<Connection, ConnectionRow>()): Work<Snapshot> {
  const takenAt = performance.now()
  const transports: Record<string, number> = {}
  const routes = new Map<string, number>()
  let bytes = 0
  let events = 0
  let queued = 0
  let behind = 0
  for (const connection of scene.connections) {
    yield
    if (scene.own.has(connection)) continue
    const known = before?.rows.get(connection)
    const row = rowOf(connection, scene.feed, known, takenAt - (before?.takenAt ?? takenAt))
    rows.set(connection, row)
    const { transport, route } = connection
    transports[String(transport)] = (transports[String(transport)] ?? 0) + 1
    routes.set(route, (routes.get(route) ?? 0) + 1)
    bytes += row.bytes - (known?.bytes ?? 0)
    events += row.events - (known?.events ?? 0)
    queued += row.queued
    if (row.behind > MOMENT) behind++
  }
  const topics = yield * topicRows(scene)
  const most = [...routes].sort(([, one], [, other]) => other - one).slice(0, ROUTES_SHOWN)
  return {
    at: Date.now(),
    takenAt,
    connections: new Views([...rows.values()]),
    topics: new Views(topics),
    rows,
    totals: { open: rows.size, bytes, events, queued, behind, transports, routes: most }
  }
}

/** What changed since the row before is in no row yet where there is none. */
export function rowOf (connection: Connection, { log }: Feed, known: ConnectionRow | undefined, elapsed: number): ConnectionRow {
  const { phase, bytes, events, queued, cursor } = connection
  const since = cursor?.behindSince ?? 0
  return {
    connection,
    phase,
    bytes,
    events,
    rate: known === undefined || elapsed === 0 ? 0 : (bytes - known.bytes) * 1_000 / elapsed,
    queued,
    behind: since === 0 ? 0 : Math.max(0, performance.now() - since),
    lag: cursor === null || since === 0 ? 0 : log.head - cursor.offset,
    subscriptions: cursor?.subscriptions ?? NOTHING
  }
}

function * topicRows ({ feed: { log, directory }, traffic }: Scene): Work<TopicRow[]> {
  const { stock } = log
  const subscribers = new Map<string, number>()
  const retained = new Map<string, number>()
  const topics = new Set<string>()
  for (const [topic, connections] of directory.topics()) {
    subscribers.set(topic, connections)
    topics.add(topic)
    yield
  }
  for (const [topic, events] of stock?.byTopic ?? []) {
    retained.set(topic, events)
    topics.add(topic)
    yield
  }
  for (const topic of traffic?.topics() ?? []) {
    topics.add(topic)
    yield
  }
  const rows: TopicRow[] = []
  for (const topic of topics) {
    const rate: Rate = traffic?.rate(topic) ?? { events: 0, bytes: 0 }
    const count = stock === undefined ? null : retained.get(topic) ?? 0
    rows.push({ topic, ...describeTopic(topic), subscribers: subscribers.get(topic) ?? 0, retained: count, rate: rate.events, byteRate: rate.bytes })
    yield
  }
  return rows
}
