/** Which channel a topic belongs to. */
import { PST_ERR_OPTION } from '../lib/errors.ts'
import { show } from '../lib/options.ts'
import type { Channel } from './channel.ts'

export class Router {
  readonly #exact = new Map<string, Channel>()
  // The longest first: it says most.
  readonly #prefixes: ReadonlyArray<[prefix: string, channel: Channel]>

  /**
   * @param channels by topic, or by how topics begin: `rooms:*`
   * @throws PST_ERR_OPTION
   */
  constructor (channels: Readonly<Record<string, Channel>>) {
    if (typeof channels !== 'object' || channels === null) throw new PST_ERR_OPTION('channels', 'an object of channels by topic', show(channels))
    const prefixes: Array<[string, Channel]> = []
    for (const [pattern, channel] of Object.entries(channels)) {
      if (!/^[^*]*\*?$/.test(pattern) || pattern === '') throw new PST_ERR_OPTION('channels', 'named by topics, with a * at the end or none', show(pattern))
      if (typeof (channel as Partial<Channel> | null)?.join !== 'function') throw new PST_ERR_OPTION(`channels.${pattern}`, 'a channel: an object that has at least join', show(channel))
      if (pattern.endsWith('*')) prefixes.push([pattern.slice(0, -1), channel])
      else this.#exact.set(pattern, channel)
    }
    this.#prefixes = prefixes.sort(([one], [other]) => other.length - one.length)
  }

  find (topic: string): Channel | null {
    return this.#exact.get(topic) ?? this.#prefixes.find(([prefix]) => topic.startsWith(prefix))?.[1] ?? null
  }
}
