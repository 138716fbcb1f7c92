/** What nodes need of an engine: who lives, and messages. */
import type { Closable } from '../tail.ts'

/** Who lives, as the engine knows it. */
export interface Living {
  /** Whether the engine knew of this node until now: else it has forgotten, or this node was taken for dead. */
  readonly isKnown: boolean
  /** How much each living node has said, this one included. */
  readonly versions: ReadonlyMap<string, number>
}

/** To one node, or, with null, to all. */
export interface Parcel { readonly to: string | null, readonly text: string }

/** One node's means. Whatever it leaves in the engine vanishes by itself some time after the node has died. */
export interface Exchange<Own extends Closable> {
  /** A connection that hears, from the first look on; a later one goes on where the last one was, as far as that is still there. */
  open: (signal: AbortSignal) => Promise<Own>
  /** Says that this node lives, and how much it has said. */
  look: (own: Own, version: number) => Promise<Living>
  /** What was sent to this node, or to all: also by itself. At most so many ms. */
  hear: (own: Own, ms: number) => Promise<readonly string[]>
  /** In this order, once or not at all. */
  post: (parcels: readonly Parcel[]) => Promise<void>
  /** This node does not live any more; the parcels go out behind that. */
  leave: (parcels: readonly Parcel[]) => Promise<void>
}
