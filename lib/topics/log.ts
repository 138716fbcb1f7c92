/** The contract of a log: what topics need of the engine that keeps their events. */
import type { Nodes } from '../cluster/nodes.ts'
import type { Position } from './position.ts'
import type { Draft, Record } from './record.ts'

/**
 * One order for all topics. Every record gets an offset greater than all before it; what is trimmed is trimmed from the
 * old end. `test/contract/log.ts` is the contract as tests.
 */
export interface Log {
  /** Letters, digits, `_`, `-` and `.`, at most 64. Another one after records were lost that a client may have seen. */
  readonly epoch: string
  /** The offset of the newest record that was followed; 0 if there was none. */
  readonly head: number
  /**
   * From now on `listener` is called for each record, once, in the log's order, as soon as `read` gives it too. Several may
   * follow one log.
   * @param watcher is told what befalls the log; a log that nothing befalls has no use for it
   * @returns what ends it, and, with the last one, lets go of what the log holds for those who follow: sockets, timers
   */
  follow: (listener: (record: Record) => void, watcher?: Watcher) => () => void | Promise<void>
  /**
   * Appends, in the order of the calls, and answers the record's id, which its followers hear before or after. With a
   * `key` that a retained record of the topic has, nothing is appended and the answer is that record's id.
   */
  append: (draft: Draft) => string | Promise<string>
  /**
   * The records of these topics behind `after`, oldest first: all up to the head, or as many as pass `limit` bytes, and
   * one at least; null if one of them was, or may have been, trimmed.
   */
  read: (topics: Iterable<string>, after: number, limit: number) => Batch | null | Promise<Batch | null>
  /** Whether `read` would answer null, as far as this process knows. */
  isTrimmed: (topics: Iterable<string>, after: number) => boolean
  /** The least `after` for which `read` gives everything that is retained of these topics. */
  earliest: (topics: Iterable<string>) => number
  /** How the processes that share it know of each other. Absent: presence and targeted sends know of one process. */
  readonly nodes?: Nodes | undefined
  /** What is retained in this process's memory, for those who look at it. A log that can't tell leaves it out. */
  readonly stock?: Stock
}

/** What of a log is in this process's memory. */
export interface Stock {
  readonly events: number
  /** Of the events as they are sent. */
  readonly bytes: number
  /** How many events there are of each topic that has any. */
  readonly byTopic: Iterable<[topic: string, events: number]>
}

/** What `read` gives. */
export interface Batch {
  records: readonly Record[]
  /** Every record of the topics up to this offset has been given, by this read or before. */
  through: number
}

/** What those who follow a log are told of besides its records. */
export interface Watcher {
  /**
   * Records were lost, or may have been, that somebody has seen, or nobody here has heard. What comes next is behind
   * `head`, which is not less than before, and maybe in another epoch.
   * @param last where the log was until now
   */
  lost: (last: Position) => void
  /** Nothing is heard for now, because of this. Told once, until `recovered`. */
  failed: (error: unknown) => void
  /** After `failed`: it is followed again. */
  recovered: () => void
  /**
   * Somebody else appended what can't be a record: it is left out.
   * @param entry where it is to be found, as the engine names it
   */
  refused: (error: unknown, entry: string) => void
}
