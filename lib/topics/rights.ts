/** Who may be subscribed to what: the app's `canSubscribe`, asked on every subscription and again when the app says so. */
import type { Connection } from '../connection/connection.ts'
import { PST_ERR_FORBIDDEN } from '../errors.ts'
import { isProduced } from './produced.ts'

/** What the app says: true, or what stands for a no. */
export type CanSubscribe<Request = unknown> = (request: Request, topic: string) => boolean | Promise<boolean>

// Connections that are asked about at once.
const BATCH = 100

export class Rights {
  readonly #canSubscribe: CanSubscribe
  // How often rights have changed.
  #changes = 0

  constructor (canSubscribe: CanSubscribe) {
    this.#canSubscribe = canSubscribe
  }

  /**
   * Settles if the connection may be subscribed to all of these, at once where the app knows at once.
   * @throws PST_ERR_FORBIDDEN, or what the app throws
   */
  check (connection: Connection, topics: readonly string[]): void | Promise<void> {
    const later: Array<Promise<void>> = []
    try {
      for (const topic of topics) {
        if (isProduced(topic)) continue   // the app does not know it: its route has let the client in
        const answer = this.#canSubscribe(connection.request, topic)
        if (answer instanceof Promise) later.push(answer.then((may) => { demand(may, topic) }))
        else demand(answer, topic)
      }
    } catch (error) {
      void Promise.allSettled(later)   // another no changes nothing, and must not crash
      throw error
    }
    if (later.length === 0) return
    const changes = this.#changes
    // An answer may be older than the change.
    return Promise.all(later).then(() => changes === this.#changes ? undefined : this.check(connection, topics))
  }

  /** Asks again about everything that these are subscribed to. Nothing more is given until the answer is there; a no closes with `expired`. */
  async recheck (connections: Iterable<Connection>): Promise<void> {
    this.#changes++
    const held = [...connections].filter(({ cursor }) => cursor !== null)
    for (const { cursor } of held) cursor?.hold()
    for (let i = 0; i < held.length; i += BATCH) {
      await Promise.all(held.slice(i, i + BATCH).map((connection) => this.#recheckOne(connection)))
    }
  }

  async #recheckOne (connection: Connection): Promise<void> {
    const { cursor } = connection
    if (cursor === null) return
    try {
      await this.check(connection, [...cursor.subscriptions.keys()])
      cursor.release()
    } catch (error) {
      if (error instanceof PST_ERR_FORBIDDEN) connection.close('expired')
      else connection.fail(error)
    }
  }
}

function demand (may: unknown, topic: string): void {
  if (may !== true) throw new PST_ERR_FORBIDDEN(topic)
}
