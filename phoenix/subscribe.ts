/** Subscribes a connection to a topic, of which nothing shall come before something else was said. */
import type { Connection } from '../lib/connection/connection.ts'
import type { TopicName } from '../lib/topics/topics.ts'
import { chain } from './chain.ts'

/**
 * Nothing of any topic is given to the client while `canSubscribe` is asked, and until `answer` has been called.
 * @throws PST_ERR_FORBIDDEN, and what `answer` throws
 */
export function subscribeBehind (connection: Connection, topic: TopicName, answer: () => void): void | Promise<void> {
  let held = connection.cursor
  held?.hold()
  const release = () => {
    held?.release()
    if (held?.isUnused === true) connection.cursor = null
    held = null
  }
  return chain(() => {
    const pending = connection.subscribe(topic)
    if (held === null) {
      held = connection.cursor
      held?.hold()
    }
    return pending
  }, () => {
    answer()
    release()
  }, (err) => {
    release()
    throw err
  })
}
