/** Publishes where there is no app: in a worker, a cron job, a migration. */
import { draftOf, type PublishOptions } from '../lib/topics/draft.ts'
import type { Log } from '../lib/topics/log.ts'
import type { Payload, TopicName } from '../lib/topics/topics.ts'

/** What `publisher` makes. */
export interface Publisher {
  /**
   * As `app.topics.publish`.
   * @returns the event's id
   * @throws PST_ERR_TOPIC, PST_ERR_DATA, PST_ERR_FIELD; the promise rejects with PST_ERR_LOG
   */
  publish: <Topic extends TopicName> (topic: Topic, data: Payload<Topic>, options?: PublishOptions) => string | Promise<string>
}

/** Holds nothing open: what the log's own client is, remains its owner's. */
export function publisher (log: Log): Publisher {
  return { publish: (topic, data, options = {}) => log.append(draftOf(topic, data, options)) }
}
