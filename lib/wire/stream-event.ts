/** An event as a value, made by `event()`: so that plain data that looks like one is never mistaken for it. */
import type { EventOptions } from './event-stream.ts'
import { checkFieldNames } from './fields.ts'

/** What `event()` takes. */
export interface StreamEventFields<Data = unknown, Type extends string | undefined = string | undefined> extends EventOptions {
  event?: Type
  /** Text goes out verbatim, everything else as JSON. Absent: the block has none, or, if it has a type, an empty one. */
  data?: Data
  /** A comment ahead of the event: clients ignore it. */
  comment?: string | undefined
}

const FIELDS = ['data', 'event', 'id', 'retry', 'comment']

/** What `event()` makes. */
export class StreamEvent<Data = unknown, Type extends string | undefined = string | undefined> {
  // Not optional here: what has no type is none of those that have one.
  readonly fields: Readonly<StreamEventFields<Data, Type>> & { readonly event: Type }

  constructor (fields: StreamEventFields<Data, Type>) {
    checkFieldNames('fields', fields, FIELDS)
    this.fields = Object.freeze({ ...fields }) as typeof this.fields
  }
}

/**
 * An event to be yielded, piped or sent. Any field may be absent.
 * @throws PST_ERR_FIELD
 */
export function event<Data, const Type extends string> (fields: StreamEventFields<Data, Type> & { data: Data, event: Type }): StreamEvent<Data, Type>
export function event<Data> (fields: StreamEventFields<Data, undefined> & { data: Data }): StreamEvent<Data, undefined>
export function event<const Type extends string> (fields: StreamEventFields<undefined, Type> & { event: Type }): StreamEvent<undefined, Type>
export function event (fields: StreamEventFields<undefined, undefined>): StreamEvent<undefined, undefined>
export function event<Data, Type extends string | undefined> (fields: StreamEventFields<Data, Type>): StreamEvent<Data, Type>
export function event (fields: StreamEventFields): StreamEvent {
  return new StreamEvent(fields)
}
