/** The topics of resumable streams: each is fed by a producer, and has a first and a last record. */

// No app can name a topic that begins with a control character.
const PREFIX = '\x01'

/**
 * @param route tells the keys of one route from those of another
 * @param key any text: as JSON it can't be taken for anything else where topics are told apart
 */
export function producedTopic (route: string, key: string): string {
  return PREFIX + JSON.stringify([route, key])
}

export function isProduced (topic: string): boolean {
  return topic.startsWith(PREFIX)
}
