/** Who has the page open: all of them get the same figures, taken once for all. */
import type { Connection } from '../../lib/connection/connection.ts'
import type { Host, Log as Logger } from '../../lib/connection/host.ts'
import { makeId } from '../../lib/connection/id.ts'
import { Look, type Point } from './look.ts'
import { Own } from './own.ts'
import { Slices } from './slices.ts'
import { type Snapshot, takeSnapshot } from './snapshot.ts'

// A viewer that has not taken so many bytes gets no more until it has.
const ENOUGH = 128 * 1024

export class Viewers {
  readonly own: Own
  readonly slices = new Slices()
  readonly #host: Host
  readonly #interval: number
  readonly #logger: Logger
  // Names this life of the server, so that the page can tell when it is another one.
  readonly #run = makeId()
  readonly #startedAt = Date.now()
  readonly #viewers = new Set<Connection>()
  #look: Look | null = null
  #glance: Promise<Snapshot> | null = null

  /** @param interval ms between two looks */
  constructor (host: Host, interval: number, logger: Logger) {
    this.own = Own.of(host.registry)
    this.#host = host
    this.#interval = interval
    this.#logger = logger
  }

  /** Shows what there is to this one, until it ends. */
  add (connection: Connection): void {
    this.#viewers.add(connection)
    this.#look ??= this.#startLook()
    const { points, snapshot } = this.#look
    connection.event({ run: this.#run, startedAt: this.#startedAt, interval: this.#interval, heartbeat: this.#host.settings.heartbeat, points }, { event: 'hello' })
    if (snapshot !== null) connection.event(this.#describe(snapshot, points.at(-1) as Point), { event: 'look' })
    void connection.closed.then(() => { this.#remove(connection) })
  }

  /** What there is: that of the last look, or of a glance while nobody looks. */
  async snapshot (): Promise<Snapshot> {
    const known = this.#look?.snapshot
    if (known != null) return known
    const { registry: connections, topics: { feed } } = this.#host
    this.#glance ??= this.slices.run(takeSnapshot({ connections, feed, own: this.own, traffic: null }, null)).finally(() => { this.#glance = null })
    return await this.#glance
  }

  #remove (connection: Connection): void {
    this.#viewers.delete(connection)
    if (this.#viewers.size !== 0) return
    this.#look?.stop()
    this.#look = null
  }

  #startLook (): Look {
    const look = new Look(this.#host, this.own, this.slices)
    look.start(this.#interval, (snapshot, point) => { this.#show(snapshot, point) }, (err) => { this.#logger.error({ err }, 'the inspector can not look') })
    return look
  }

  #show (snapshot: Snapshot, point: Point): void {
    const text = this.#describe(snapshot, point)
    for (const viewer of this.#viewers) if (viewer.queued <= ENOUGH) viewer.event(text, { event: 'look' })
  }

  // Text, so that it is made once for all.
  #describe ({ totals, topics }: Snapshot, point: Point): string {
    const { log } = this.#host.topics.feed
    const { stock } = log
    return JSON.stringify({
      point,
      transports: totals.transports,
      routes: totals.routes,
      closed: this.own.closed,
      topics: topics.size,
      log: { position: this.#host.topics.position, events: stock?.events ?? null, bytes: stock?.bytes ?? null }
    })
  }
}
