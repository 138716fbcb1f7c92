/** What of a run of records goes to a connection. */
import type { Format } from '../wire/format.ts'
import type { Record } from './record.ts'

/** An event as filters see it. */
export interface TopicEvent<Topic extends string = string, Data = unknown> {
  readonly topic: Topic
  /** Its position. */
  readonly id: string
  readonly event: string | undefined
  /** What was published. */
  readonly data: Data
}

/** Whether an event goes out to the connection. Called for live events and for replayed ones; must not change with time. */
export type Filter = (event: TopicEvent) => boolean

/** What a connection is subscribed to; null: without a filter. */
export type Subscriptions = ReadonlyMap<string, Filter | null>

export interface Selection {
  /** In the format. */
  readonly text: string
  readonly events: number
  /** The records in it that are not for everybody. */
  readonly exceptions: readonly Record[] | null
  /** The reason to close with when it was given; null if there is more to come. */
  readonly ends: 'server' | 'error' | null
  /** The first record looked at. */
  readonly start: number
  /** Behind the last one. */
  readonly end: number
  /** Everything up to this offset is in it, or not for the subscriber. */
  readonly through: number
}

/**
 * @param records in the order of the log, all of topics that are subscribed
 * @param start the index of the first one
 * @param limit ends with the record that passes so many bytes
 * @param format what they are encoded in
 * @param last what everything is through when the limit is not reached
 * @param isFor asked for each record that is not for everybody; without it all are selected
 * @throws what a filter throws
 */
export function select (records: readonly Record[], start: number, subscriptions: Subscriptions, format: Format, limit: number, last: number, isFor?: (record: Record) => boolean): Selection {
  let text = ''
  let size = 0
  let events = 0
  let exceptions: Record[] | null = null
  let ends: 'server' | 'error' | null = null
  let end = start
  const { length } = records   // of now: a filter may publish
  for (; end < length && size < limit; end++) {
    const record = records[end] as Record
    if (record.ends !== undefined) {
      ends = record.ends
      if (record.as(format) === '') continue
    }
    if (record.producer !== undefined) continue
    const filter = subscriptions.get(record.topic) ?? null
    if (filter !== null && !filter(eventOf(record))) continue
    if (record.except !== undefined) {
      if (isFor?.(record) === false) continue
      exceptions ??= []
      exceptions.push(record)
    }
    text += record.as(format)
    size += record.size
    events++
  }
  return { text, events, exceptions, ends, start, end, through: end === length ? last : (records[end - 1] as Record).offset }
}

let latest: TopicEvent | null = null

// One object for the many filters that look at one record in a row.
function eventOf (record: Record): TopicEvent {
  if (latest?.id !== record.id) {
    const { topic, id, event, payload: data } = record
    latest = { topic, id, event, data }
  }
  return latest as TopicEvent
}
