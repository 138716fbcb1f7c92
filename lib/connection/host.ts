/** What the connections of one route, or of all ordinary routes, have in common. */
import type { Presence } from '../cluster/presence.ts'
import type { Settings } from '../options.ts'
import type { Producers } from '../source/producers.ts'
import type { Topics } from '../topics/topics.ts'
import type { Clock } from './clock.ts'
import type { EventSchemas } from './event-schemas.ts'
import type { Formats } from './formats.ts'
import type { Limits } from './limits.ts'
import type { Registry } from './registry.ts'

export interface Host {
  readonly settings: Readonly<Settings>
  readonly registry: Registry
  readonly clock: Clock
  readonly topics: Topics
  readonly presence: Presence
  readonly producers: Producers
  readonly formats: Formats
  /** Null where events are not declared. */
  readonly events: EventSchemas | null
  /** The server's, and the route's own if it has one. */
  readonly limits: readonly Limits[]
}

/** The part of a logger that a connection needs. */
export interface Log {
  info: (fields: object, message: string) => void
  error: (fields: object, message: string) => void
}
