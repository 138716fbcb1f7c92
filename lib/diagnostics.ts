/** What Pastelli tells on channels of `node:diagnostics_channel`. While nobody listens, that costs a look at a flag. */
import { type Channel, channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Connection } from './connection/connection.ts'
import type { CloseReason } from './connection/reasons.ts'
import type { Registry } from './connection/registry.ts'
import type { Gap } from './topics/gap.ts'
import type { Topics } from './topics/topics.ts'

interface OfConnection {
  /** `fastify.connections` of the app that it is of. */
  readonly connections: Registry
  readonly connection: Connection<object>
}

interface OfTopics {
  /** `fastify.topics` of the app that it is of. */
  readonly topics: Topics
}

/** The channels by name, with their messages. */
export interface DiagnosticsMessages {
  /** A response was taken over. */
  'pastelli:connection:open': OfConnection
  /** It has ended: once for each that opened. */
  'pastelli:connection:close': OfConnection & { readonly reason: CloseReason }
  /** The client took too little: it is cut, or told of a gap if the route says `overflow: 'skip'`. */
  'pastelli:connection:overflow': OfConnection & { readonly policy: 'disconnect' | 'skip' }
  /** The client is told that it missed something between these positions. */
  'pastelli:connection:gap': OfConnection & Gap & { readonly to: string }
  /** The client came back and was given so many events that it had missed: all, or those before it left again. */
  'pastelli:connection:replay': OfConnection & { readonly events: number, readonly isComplete: boolean }
  /** An event is in the log; `bytes` of its data. */
  'pastelli:topics:publish': OfTopics & { readonly topic: string, readonly bytes: number }
  /**
   * What was published has been written to so many connections with the same subscriptions: `latency` ms after the first of it was
   * published, or heard from the log of other machines.
   */
  'pastelli:topics:delivery': OfTopics & { readonly connections: number, readonly latency: number }
}

interface Typed<Message> extends Omit<Channel, 'publish'> {
  publish: (message: Message) => void
}

export const opened = typed('pastelli:connection:open')
export const closed = typed('pastelli:connection:close')
export const overflowed = typed('pastelli:connection:overflow')
export const gapped = typed('pastelli:connection:gap')
export const replayed = typed('pastelli:connection:replay')
export const published = typed('pastelli:topics:publish')
export const delivered = typed('pastelli:topics:delivery')

/** Listens on a channel, for all apps in the process. Answers how to end that. What the listener throws ends the process. */
export function listen<const Name extends keyof DiagnosticsMessages> (name: Name, listener: (message: DiagnosticsMessages[Name]) => void): () => void {
  const heard = (message: unknown) => { listener(message as DiagnosticsMessages[Name]) }
  subscribe(name, heard)
  return () => { unsubscribe(name, heard) }
}

function typed<Name extends keyof DiagnosticsMessages> (name: Name): Typed<DiagnosticsMessages[Name]> {
  return channel(name) as unknown as Typed<DiagnosticsMessages[Name]>
}
