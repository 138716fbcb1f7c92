/** What some apps of the process have done so far, and what their open connections come to now. */
import type { Connection } from '../lib/connection/connection.ts'
import { type Figures, figuresOf } from '../lib/connection/figures.ts'
import { CLOSE_REASONS, type CloseReason } from '../lib/connection/reasons.ts'
import type { Registry } from '../lib/connection/registry.ts'
import type { TransportName } from '../lib/connection/transport.ts'
import { listen } from '../lib/diagnostics.ts'
import { GAP_REASONS, type GapReason } from '../lib/topics/gap.ts'
import type { Topics } from '../lib/topics/topics.ts'

export interface App {
  readonly connections: Registry
  readonly topics: Topics
}

/** Is told of each, for what no sum can say. */
export interface Observer {
  /** @param duration s */
  ended: (route: string, duration: number) => void
  /** @param latency s */
  delivered: (latency: number) => void
}

/** Of one route over one transport: events and bytes of all that ever opened, all else of those that are open. */
export interface StreamTotals extends Figures {
  opened: number
}

export interface Snapshot {
  readonly streams: readonly StreamTotals[]
  readonly closed: ReadonlyMap<string, Readonly<Record<CloseReason, number>>>
  readonly gaps: Readonly<Record<GapReason, number>>
  readonly overflows: Readonly<Record<'disconnect' | 'skip', number>>
  readonly replays: number
  readonly replayedEvents: number
  readonly published: number
  readonly publishedBytes: number
}

export class Tally {
  readonly #observer: Observer
  readonly #registries = new Set<Registry>()
  readonly #topics = new Set<Topics>()
  // By transport and route, and by route: as many as there are patterns of routes.
  readonly #ended = new Map<string, StreamTotals>()
  readonly #closed = new Map<string, Record<CloseReason, number>>()
  readonly #gaps = zeros(GAP_REASONS)
  readonly #overflows = zeros(['disconnect', 'skip'])
  #replays = 0
  #replayedEvents = 0
  #published = 0
  #publishedBytes = 0
  #snapshot: Promise<Snapshot> | null = null
  #unlisten: ReadonlyArray<() => void> = []

  constructor (observer: Observer) {
    this.#observer = observer
  }

  /** From now on, what this app does counts too. */
  join ({ connections, topics }: App): void {
    this.#registries.add(connections)
    this.#topics.add(topics)
    if (this.#unlisten.length === 0) this.#unlisten = this.#listen()
  }

  /**
   * The app has closed. What it did still counts: a total that went down would be taken for a restart.
   * @returns whether nobody is left
   */
  leave ({ connections, topics }: App): boolean {
    this.#registries.delete(connections)
    this.#topics.delete(topics)
    if (this.#registries.size !== 0) return false
    for (const unlisten of this.#unlisten) unlisten()
    this.#unlisten = []
    return true
  }

  /** One for all who ask while it is taken: a scrape asks once for each metric. */
  snapshot (): Promise<Snapshot> {
    this.#snapshot ??= this.#take().finally(() => { this.#snapshot = null })
    return this.#snapshot
  }

  #listen (): Array<() => void> {
    return [
      listen('pastelli:connection:close', ({ connections, connection, reason }) => {
        if (this.#registries.has(connections)) this.#end(connection as Connection, reason)
      }),
      listen('pastelli:connection:overflow', ({ connections, policy }) => {
        if (this.#registries.has(connections)) this.#overflows[policy]++
      }),
      listen('pastelli:connection:gap', ({ connections, reason }) => {
        if (this.#registries.has(connections)) this.#gaps[reason]++
      }),
      listen('pastelli:connection:replay', ({ connections, events }) => {
        if (!this.#registries.has(connections)) return
        this.#replays++
        this.#replayedEvents += events
      }),
      listen('pastelli:topics:publish', ({ topics, bytes }) => {
        if (!this.#topics.has(topics)) return
        this.#published++
        this.#publishedBytes += bytes
      }),
      listen('pastelli:topics:delivery', ({ topics, latency }) => {
        if (this.#topics.has(topics)) this.#observer.delivered(latency / 1_000)
      })
    ]
  }

  #end ({ route, transport, openSince, events, bytes }: Connection, reason: CloseReason): void {
    const totals = totalsOf(this.#ended, route, transport as TransportName)
    totals.opened++
    totals.events += events
    totals.bytes += bytes
    countsOf(this.#closed, route)[reason]++
    this.#observer.ended(route, (performance.now() - openSince) / 1_000)
  }

  // All totals are of the moment in which the open ones are listed: a connection counts as open or as ended, never as both or
  // neither, however long the pass takes.
  async #take (): Promise<Snapshot> {
    const open = figuresOf([...this.#registries].flatMap((connections) => [...connections]))
    const totals = new Map([...this.#ended].map(([key, ended]) => [key, { ...ended }]))
    const closed = new Map([...this.#closed].map(([route, counts]) => [route, { ...counts }]))
    const rest = {
      gaps: { ...this.#gaps },
      overflows: { ...this.#overflows },
      replays: this.#replays,
      replayedEvents: this.#replayedEvents,
      published: this.#published,
      publishedBytes: this.#publishedBytes
    }
    for (const figures of await open) {
      const { route, transport, connections, events, bytes } = figures
      const before = totalsOf(totals, route, transport)
      Object.assign(before, figures, { opened: before.opened + connections, events: before.events + events, bytes: before.bytes + bytes })
      countsOf(closed, route)
    }
    return { ...rest, streams: [...totals.values()], closed }
  }
}

function totalsOf (all: Map<string, StreamTotals>, route: string, transport: TransportName): StreamTotals {
  const key = `${transport} ${route}`
  let totals = all.get(key)
  if (totals === undefined) {
    totals = { route, transport, connections: 0, opened: 0, events: 0, bytes: 0, buffered: 0, maxBuffered: 0, behind: 0, maxLag: 0 }
    all.set(key, totals)
  }
  return totals
}

// There from the first connection on: a total that appears as 1 has not risen, to whoever asks for its rate.
function countsOf (all: Map<string, Record<CloseReason, number>>, route: string): Record<CloseReason, number> {
  let counts = all.get(route)
  if (counts === undefined) all.set(route, counts = zeros(CLOSE_REASONS))
  return counts
}

function zeros<Name extends string> (names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
}
