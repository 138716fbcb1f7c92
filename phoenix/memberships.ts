/** What one client has joined: where its messages go, and how they are answered. */
import type { Connection } from '../lib/connection/connection.ts'
import type { Sent } from '../lib/connection/sender.ts'
import type { Host } from '../lib/connection/host.ts'
import { PST_ERR_MESSAGE } from '../lib/errors.ts'
import { checkTopics } from '../lib/topics/topics.ts'
import type { Channel } from './channel.ts'
import { type Client, Membership } from './membership.ts'
import { decode, type Message, type Status } from './message.ts'
import type { Presences } from './presences.ts'
import { recordTopic } from './publish.ts'
import type { Router } from './router.ts'

/** What all clients of a route share. */
export interface Shared {
  readonly router: Router
  readonly presences: Presences
  readonly topics: Host['topics']
  /** How many topics one client may have joined. */
  readonly maxTopics: number
}

/** How a message goes out on a transport. */
export type Send = (connection: Connection, message: Message) => Sent

export class Memberships implements Client {
  readonly connection: Connection
  readonly #shared: Shared
  readonly #state: object
  readonly #send: Send
  readonly #byTopic = new Map<string, Membership>()
  // Those that have ended, and are not over yet: who joins again waits for them.
  readonly #ending = new Map<string, Promise<void>>()
  // All that are not over: who joins and leaves faster than channels answer shall not heap them up.
  #count = 0

  /** @param state what `connect` answered */
  constructor (connection: Connection, state: object, shared: Shared, send: Send) {
    this.connection = connection
    this.#state = state
    this.#shared = shared
    this.#send = send
    connection.forgetPosition()   // nobody reads what was sent to a topic before they joined it
    const { signal } = connection
    if (signal.aborted) this.#end()
    else signal.addEventListener('abort', () => { this.#end() }, { once: true })
  }

  get presences (): Presences {
    return this.#shared.presences
  }

  get topics (): Host['topics'] {
    return this.#shared.topics
  }

  /** Takes a message from the client. One that is none ends the connection: its end is not sound. */
  receive (data: string | Uint8Array): void {
    if (this.connection.reason !== null) return
    try {
      this.#take(decode(data), data.length)
    } catch (err) {
      if (!(err instanceof PST_ERR_MESSAGE)) throw err
      this.connection.log.info({ err, connection: this.connection.id }, 'a client sent what is no message of Phoenix')
      this.connection.close('error')
    }
  }

  // What was published before this is given first: a broadcast and then a push come in this order.
  send (message: Message): Sent {
    this.connection.cursor?.giveWaiting()
    return this.#send(this.connection, message)
  }

  forget (membership: Membership): void {
    const { topic, over } = membership
    this.#byTopic.delete(topic)
    this.#ending.set(topic, over)
    void over.then(() => {
      this.#count--
      if (this.#ending.get(topic) === over) this.#ending.delete(topic)
    })
  }

  #take (message: Message, size: number): void {
    const { topic, event, joinRef } = message
    if (topic === 'phoenix' && event === 'heartbeat') {
      this.#reply(message, 'ok', {})
      return
    }
    if (event === 'phx_join') {
      this.#join(message)
      return
    }
    const membership = this.#byTopic.get(topic)
    const isMember = membership !== undefined && (joinRef === null || joinRef === membership.joinRef)
    if (isMember && event === 'phx_leave') membership.leave(message)
    else if (isMember) membership.receive(message, size)
    else if (event === 'phx_leave') this.#reply(message, 'ok', {})   // it has left, and has not heard of it yet
    else this.#reply(message, 'error', { reason: 'unmatched topic' })
  }

  #join (message: Message): void {
    const { topic } = message
    this.#byTopic.get(topic)?.end('rejoined', 'phx_close')
    const channel = this.#find(topic)
    if (channel === null) {
      this.#reply(message, 'error', { reason: 'unmatched topic' })
      return
    }
    const { maxTopics } = this.#shared
    if (this.#byTopic.size >= maxTopics || this.#count >= 2 * maxTopics) {
      this.#reply(message, 'error', { reason: 'too many topics' })
      return
    }
    const membership = new Membership(channel, message, { ...this.#state }, this)
    this.#byTopic.set(topic, membership)
    this.#count++
    membership.join(message, this.#ending.get(topic) ?? null)
  }

  #find (topic: string): Channel | null {
    try {
      checkTopics(recordTopic(topic))
    } catch {
      return null   // no topic of pastelli's may be called so
    }
    return this.#shared.router.find(topic)
  }

  #reply ({ joinRef, ref, topic }: Message, status: Status, payload: unknown): void {
    this.send({ joinRef, ref, topic, event: 'phx_reply', payload, status })
  }

  #end (): void {
    for (const membership of [...this.#byTopic.values()]) membership.end(this.connection.signal.reason, null)
  }
}
