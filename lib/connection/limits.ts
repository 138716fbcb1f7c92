/** Places for open streams: so many in all, so many for each key. Taken before the handler runs, freed when the connection ends. */
import { PST_ERR_MAX_CONNECTIONS, PST_ERR_MAX_CONNECTIONS_PER_KEY } from '../errors.ts'
import type { Settings } from '../options.ts'

export class Limits {
  readonly #max: number
  readonly #maxPerKey: number
  readonly #byKey = new Map<string, number>()
  #taken = 0

  constructor ({ maxConnections, maxConnectionsPerKey }: Pick<Settings, 'maxConnections' | 'maxConnectionsPerKey'>) {
    this.#max = maxConnections
    this.#maxPerKey = maxConnectionsPerKey
  }

  /** Whether `take` and `free` need a key. */
  get keyed (): boolean {
    return this.#maxPerKey !== Infinity
  }

  /** @throws PST_ERR_MAX_CONNECTIONS, PST_ERR_MAX_CONNECTIONS_PER_KEY; nothing is taken then */
  take (key: string): void {
    if (this.#taken >= this.#max) throw new PST_ERR_MAX_CONNECTIONS()
    if (this.keyed) {
      const taken = this.#byKey.get(key) ?? 0
      if (taken >= this.#maxPerKey) throw new PST_ERR_MAX_CONNECTIONS_PER_KEY()
      this.#byKey.set(key, taken + 1)
    }
    this.#taken++
  }

  free (key: string): void {
    this.#taken--
    if (!this.keyed) return
    const taken = this.#byKey.get(key) as number
    if (taken === 1) this.#byKey.delete(key)
    else this.#byKey.set(key, taken - 1)
  }
}

/**
 * Takes a place under each of the limits, or under none.
 * @throws what the first full one throws
 */
export function takePlaces (limits: readonly Limits[], key: string): void {
  let taken = 0
  try {
    for (; taken < limits.length; taken++) (limits[taken] as Limits).take(key)
  } catch (error) {
    freePlaces(limits.slice(0, taken), key)
    throw error
  }
}

export function freePlaces (limits: readonly Limits[], key: string): void {
  for (const limit of limits) limit.free(key)
}
