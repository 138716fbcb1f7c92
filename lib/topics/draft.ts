/** What a publisher gives, checked and serialised. */
import { Connection } from '../connection/connection.ts'
import { PST_ERR_FIELD, PST_ERR_TOPIC } from '../errors.ts'
import { checkFields, encodeData, type EventFields } from '../wire/event-stream.ts'
import { checkFieldNames } from '../wire/fields.ts'
import type { Draft } from './record.ts'

/** What `publish` takes besides the topic and the data. */
export interface PublishOptions extends EventFields {
  /** A connection that does not get it; or the id of one, or the name of some, which still holds when they come back. */
  except?: Connection | string | undefined
  /** The publisher's own: published twice on a topic with the same key, it is published once, as long as it is retained. */
  key?: string | undefined
}

const MAX_TOPIC = 256
const FIELDS = ['event', 'retry', 'except', 'key']

/** @throws PST_ERR_TOPIC, PST_ERR_DATA, PST_ERR_FIELD */
export function draftOf (topic: string, data: unknown, options: PublishOptions): Draft {
  checkTopic(topic)
  checkOptions(options)
  const { except, ...rest } = options
  return { ...rest, topic, data: encodeData(data), json: typeof data !== 'string', except: typeof except === 'object' ? except.id : except }
}

/** @throws PST_ERR_TOPIC */
export function checkTopic (topic: unknown): asserts topic is string {
  if (typeof topic !== 'string') throw new PST_ERR_TOPIC(typeof topic)
  // Subscriptions are told apart by their text, in which a line end separates topics.
  // eslint-disable-next-line no-control-regex
  if (topic === '' || topic.length > MAX_TOPIC || /[\0-\x1f\x7f]/.test(topic) || !topic.isWellFormed()) throw new PST_ERR_TOPIC(JSON.stringify(topic.slice(0, 40)))
}

function checkOptions (options: PublishOptions): void {
  checkFieldNames('options', options, FIELDS)
  const { event, retry, except, key } = options
  if (event !== undefined || retry !== undefined) checkFields({ event, retry })
  if (except !== undefined && typeof except !== 'string' && !(except instanceof Connection)) throw new PST_ERR_FIELD('except', 'a connection, or the id or name of one', typeof except)
  if (key !== undefined && typeof key !== 'string') throw new PST_ERR_FIELD('key', 'a string', typeof key)
}
