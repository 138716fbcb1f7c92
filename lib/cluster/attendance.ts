/** On which topics one connection is present: while it is open and subscribed to them. */
import type { Connection } from '../connection/connection.ts'
import type { Presence } from './presence.ts'

export class Attendance {
  readonly #presence: Presence
  readonly #connection: Connection
  // By topic, what is known of it there.
  readonly #data = new Map<string, string>()
  #isOpen: boolean

  constructor (presence: Presence, connection: Connection) {
    this.#presence = presence
    this.#connection = connection
    this.#isOpen = connection.phase !== 'opening'
  }

  add (topics: readonly string[], data: string): void {
    for (const topic of topics) {
      if (this.#data.get(topic) === data) continue
      this.#data.set(topic, data)
      if (this.#isOpen) this.#presence.enter(this.#connection, topic, data)
    }
  }

  /** The connection is open now. */
  open (): void {
    if (this.#isOpen) return   // it was made just now, by who was told that the connection is open
    this.#isOpen = true
    for (const [topic, data] of this.#data) this.#presence.enter(this.#connection, topic, data)
  }

  /** It is subscribed to no others any more. */
  retain (topics: { has: (topic: string) => boolean }): void {
    for (const topic of this.#data.keys()) {
      if (topics.has(topic)) continue
      this.#data.delete(topic)
      this.#presence.leave(this.#connection, topic)
    }
  }
}
