/** Broadcasts: what all members of a topic get is a record of a topic of the same name, published once. */
import type { Connection } from '../lib/connection/connection.ts'
import type { TopicName, Topics } from '../lib/topics/topics.ts'
import { encodeText, restoreBinary } from './message.ts'

// The app's own topics can't be joined.
const PREFIX = 'phoenix:'

// The type of records that are bytes on the wire.
const BINARY = 'binary'

/** The topic whose records go to the members of a topic. */
export function recordTopic (topic: string): TopicName {
  return `${PREFIX}${topic}` as TopicName
}

/**
 * @param except a connection that does not get it
 * @returns what `topics.publish` does
 * @throws PST_ERR_DATA, PST_ERR_TOPIC
 */
export function publish (topics: Topics, topic: string, event: string, payload: unknown, except?: Connection): string | Promise<string> {
  const text = encodeText({ joinRef: null, ref: null, topic, event, payload })
  return topics.publish(recordTopic(topic), text as never, { except, event: payload instanceof Uint8Array ? BINARY : undefined })
}

interface Written { data: unknown, event: string | undefined }

/** A record, or a message to one client, as a message of a WebSocket. */
export function toWebSocket ({ data, event }: Written): string | Uint8Array {
  const text = messageOf(data)
  return event === BINARY ? restoreBinary(text) : text
}

/** The same as a line of a poll's answer: in JSON there are no line ends. */
export function toLine ({ data }: Written): string {
  return `${messageOf(data)}\n`
}

// A client of Phoenix knows nothing of gaps: the connection has to end, so that it joins anew.
function messageOf (data: unknown): string {
  if (typeof data !== 'string') throw new TypeError('there is no message of Phoenix for a gap')
  return data
}
