/** The inspector's own streams, which it leaves out of all that it shows. */
import type { Connection } from '../../lib/connection/connection.ts'
import { CLOSE_REASONS, type CloseReason } from '../../lib/connection/reasons.ts'
import type { Registry } from '../../lib/connection/registry.ts'

export type ByReason = Record<CloseReason, number>

// Of an app that has several inspectors, none shows the streams of another.
const known = new WeakMap<Registry, Own>()

export class Own {
  readonly #registry: Registry
  readonly #streams = new Set<Connection>()
  readonly #closed = none()

  static of (registry: Registry): Own {
    const own = known.get(registry) ?? new Own(registry)
    known.set(registry, own)
    return own
  }

  private constructor (registry: Registry) {
    this.#registry = registry
  }

  add (connection: Connection): void {
    this.#streams.add(connection)
    void connection.closed.then((reason) => {
      this.#streams.delete(connection)
      if (connection.openedAt !== 0) this.#closed[reason]++
    })
  }

  has (connection: Connection): boolean {
    return this.#streams.has(connection)
  }

  /** How many streams of others are open. */
  get others (): number {
    let own = 0
    for (const { phase } of this.#streams) if (phase !== 'opening') own++
    return this.#registry.size - own
  }

  /** How many streams of others have ended, by reason. */
  get closed (): Readonly<ByReason> {
    const { counts } = this.#registry
    return byReason((reason) => counts[reason] - this.#closed[reason])
  }
}

export function byReason (count: (reason: CloseReason) => number): ByReason {
  return Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, count(reason)])) as ByReason
}

function none (): ByReason {
  return byReason(() => 0)
}
