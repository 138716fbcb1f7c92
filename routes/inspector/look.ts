/** A look at the server, which lasts as long as somebody has the page open: all that is kept for it goes with it. */
import type { Connection } from '../../lib/connection/connection.ts'
import type { Host } from '../../lib/connection/host.ts'
import { listen } from '../../lib/diagnostics.ts'
import { LoopDelay } from './loop-delay.ts'
import { byReason, type ByReason, type Own } from './own.ts'
import type { Slices } from './slices.ts'
import { type ConnectionRow, type Snapshot, takeSnapshot } from './snapshot.ts'
import { perSecond, Traffic } from './traffic.ts'

/** What the charts draw. Rates are in a second. */
export interface Point {
  /** ms since 1970. */
  readonly at: number
  readonly open: number
  /** How many opened, and how many ended by reason, since the point before. */
  readonly opened: number
  readonly closed: ByReason
  readonly events: number
  readonly bytes: number
  readonly published: number
  readonly queued: number
  readonly behind: number
  readonly heartbeats: number
  /** Of the event loop, ms. */
  readonly delay: number
  readonly worst: number
}

// Five minutes at the default interval.
const KEPT = 300

interface Counts { readonly at: number, readonly open: number, readonly closed: Readonly<ByReason>, readonly heartbeats: number }

export class Look {
  readonly points: Point[] = []
  readonly #host: Host
  readonly #own: Own
  readonly #slices: Slices
  readonly #traffic: Traffic
  readonly #delay = new LoopDelay()
  readonly #unlisten: () => void
  // What those have sent who have left since the last snapshot, and since they were in a row: a stream may be shorter than a look.
  #left = { events: 0, bytes: 0 }
  // Of the snapshot that is being taken, then of the newest.
  #rows = new Map<Connection, ConnectionRow>()
  #snapshot: Snapshot | null = null
  #counts: Counts
  #timer: NodeJS.Timeout | null = null

  constructor (host: Host, own: Own, slices: Slices) {
    this.#host = host
    this.#own = own
    this.#slices = slices
    this.#traffic = new Traffic(host.topics.feed.log)
    this.#counts = this.#count()
    this.#unlisten = listen('pastelli:connection:close', ({ connections, connection }) => {
      if (connections === host.registry) this.#countLeft(connection as Connection)
    })
  }

  /** The newest one; null until there is one. */
  get snapshot (): Snapshot | null {
    return this.#snapshot
  }

  /** Looks now, and then again and again. */
  start (interval: number, seen: (snapshot: Snapshot, point: Point) => void, failed: (error: unknown) => void): void {
    const look = async () => {
      try {
        const snapshot = await this.#take()
        if (this.#timer !== null) seen(snapshot, this.points.at(-1) as Point)
      } catch (error) {
        failed(error)
      }
      if (this.#timer !== null) this.#timer = setTimeout(look, interval)
    }
    this.#timer = setTimeout(look)
  }

  stop (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#traffic.stop()
    this.#delay.stop()
    this.#unlisten()
  }

  async #take (): Promise<Snapshot> {
    const before = this.#snapshot
    const { registry, topics: { feed } } = this.#host
    const counted = this.#counts
    const counts = this.#counts = this.#count()
    const elapsed = counts.at - counted.at
    const published = await this.#slices.run(this.#traffic.measure(elapsed))
    this.#rows = new Map()
    const snapshot = await this.#slices.run(takeSnapshot({ connections: registry, feed, own: this.#own, traffic: this.#traffic }, before, this.#rows))
    const { bytes, events, queued, behind } = snapshot.totals
    const left = this.#left
    this.#left = { events: 0, bytes: 0 }
    // What was there before anybody looked is of no second.
    const sent = before === null ? perSecond(0, 0, 0) : perSecond(events + left.events, bytes + left.bytes, snapshot.takenAt - before.takenAt)
    const beats = before === null ? 0 : perSecond(counts.heartbeats - counted.heartbeats, 0, elapsed).events
    const closed = byReason((reason) => counts.closed[reason] - counted.closed[reason])
    const delay = this.#delay.read()
    this.points.push({
      at: snapshot.at,
      open: counts.open,
      opened: counts.open - counted.open + Object.values(closed).reduce((sum, count) => sum + count),
      closed,
      events: sent.events,
      bytes: sent.bytes,
      published: before === null ? 0 : published.events,
      queued,
      behind,
      heartbeats: beats,
      delay: delay.usual,
      worst: delay.worst
    })
    if (this.points.length > KEPT) this.points.shift()
    this.#snapshot = snapshot
    return snapshot
  }

  #countLeft (connection: Connection): void {
    if (this.#own.has(connection)) return
    const counted = this.#rows.get(connection) ?? this.#snapshot?.rows.get(connection)
    this.#left.events += connection.events - (counted?.events ?? 0)
    this.#left.bytes += connection.bytes - (counted?.bytes ?? 0)
  }

  #count (): Counts {
    const { clock } = this.#host
    return { at: performance.now(), open: this.#own.others, closed: this.#own.closed, heartbeats: clock.heartbeats }
  }
}
