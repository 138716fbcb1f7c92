/** One client's membership of one topic, from its join to its end. */
import type { Connection } from '../lib/connection/connection.ts'
import type { Sent } from '../lib/connection/sender.ts'
import { PST_ERR_ARGUMENT, PST_ERR_FORBIDDEN, PST_ERR_NOT_JOINED } from '../lib/errors.ts'
import { encodeData } from '../lib/wire/event-stream.ts'
import { chain } from './chain.ts'
import type { Answer, Channel, ChannelSocket, EndReason } from './channel.ts'
import { Mailbox } from './mailbox.ts'
import type { Message, Ref, Status } from './message.ts'
import type { Presences } from './presences.ts'
import { publish, recordTopic } from './publish.ts'
import { subscribeBehind } from './subscribe.ts'

/** What a membership needs of the client that it is of. */
export interface Client {
  readonly connection: Connection
  readonly presences: Presences
  readonly topics: Parameters<typeof publish>[0]
  send: (message: Message) => Sent
  /** The membership has ended. */
  forget: (membership: Membership) => void
}

export class Membership implements ChannelSocket {
  readonly topic: string
  readonly joinRef: Ref
  state: object
  readonly #channel: Channel
  readonly #client: Client
  readonly #mailbox = new Mailbox()
  readonly #abort = new AbortController()
  // Whether `join` has said yes, which `terminate` answers to; whether the client knows.
  #isAdmitted = false
  #isJoined = false
  #isSubscribed = false
  #reason: EndReason | null = null
  // What `join` did before it had answered.
  #early: Array<() => void> = []
  readonly #keys = new Set<string>()
  #settle: () => void = () => {}
  /** Resolves when `terminate` is through. */
  readonly over = new Promise<void>((resolve) => { this.#settle = resolve })

  constructor (channel: Channel, { topic, joinRef }: Message, state: object, client: Client) {
    this.#channel = channel
    this.#client = client
    this.topic = topic
    this.joinRef = joinRef
    this.state = state
  }

  get connection (): Connection {
    return this.#client.connection
  }

  get signal (): AbortSignal {
    return this.#abort.signal
  }

  push (event: string, payload: unknown = {}): Sent {
    if (this.#reason !== null) return false
    if (!this.#isJoined) throw new PST_ERR_NOT_JOINED('push')
    return this.#client.send({ joinRef: this.joinRef, ref: null, topic: this.topic, event, payload })
  }

  broadcast (event: string, payload: unknown = {}): string | Promise<string> {
    return publish(this.#client.topics, this.topic, event, payload)
  }

  broadcastFrom (event: string, payload: unknown = {}): string | Promise<string> {
    return publish(this.#client.topics, this.topic, event, payload, this.connection)
  }

  info (message: unknown): boolean {
    if (this.#reason !== null) return false
    if (this.#isJoined) this.#post(() => this.#run(() => this.#channel.handleInfo?.(message, this), null))
    else this.#early.push(() => { this.info(message) })
    return this.connection.reason === null
  }

  track (key: string, meta: object = {}): void {
    if (this.#channel.presence !== true) throw new PST_ERR_ARGUMENT('track', 'a channel that has `presence: true`', typeof this.#channel.presence)
    if (typeof key !== 'string') throw new PST_ERR_ARGUMENT('track', 'a key that is a string', typeof key)
    if (typeof meta !== 'object' || meta === null) throw new PST_ERR_ARGUMENT('track', 'a meta that is an object', typeof meta)
    encodeData(meta)   // what can't be sent is refused here, also when it waits for the join
    if (this.#reason !== null) return
    if (!this.#isJoined) {
      this.#early.push(() => { this.track(key, meta) })
      return
    }
    this.#client.presences.track(this.topic, this, key, meta)
    this.#keys.add(key)
  }

  untrack (key: string): void {
    if (!this.#isJoined && this.#reason === null) this.#early.push(() => { this.untrack(key) })
    if (this.#keys.delete(key)) this.#client.presences.untrack(this.topic, this, key)
  }

  /** Asks the channel to let the client in. @param after what has to be over before that */
  join ({ ref, payload }: Message, after: Promise<void> | null): void {
    if (after !== null) this.#mailbox.post(() => after)
    this.#mailbox.post(() => this.#reason === null ? this.#admit(ref, payload) : undefined)
  }

  /** @param size bytes */
  receive ({ ref, event, payload }: Message, size: number): void {
    this.#post(() => this.#run(() => {
      if (this.#channel.handleIn !== undefined) return this.#channel.handleIn(event, payload, this)
      return { reply: { error: { reason: 'unmatched event' } } }
    }, ref), size)
  }

  leave ({ ref }: Message): void {
    const leave = () => {
      if (this.#reason !== null) return
      this.#reply(ref, 'ok', {})
      this.end('left', 'phx_close')
    }
    // A join that takes its time shall not keep a client that has given it up.
    if (this.#isJoined) this.#post(leave)
    else leave()
  }

  /** Ends it, once. @param farewell what the client is told */
  end (reason: EndReason, farewell: 'phx_close' | 'phx_error' | null): void {
    if (this.#reason !== null) return
    this.#reason = reason
    const { connection, presences } = this.#client
    for (const key of this.#keys) presences.untrack(this.topic, this, key)
    this.#keys.clear()
    this.#early = []
    // A connection that ends lets go of all its topics at once.
    if (this.#isSubscribed && connection.reason === null) connection.unsubscribe(recordTopic(this.topic))
    const { topic, joinRef } = this
    if (farewell !== null) this.#client.send({ joinRef, ref: joinRef, topic, event: farewell, payload: {} })
    this.#client.forget(this)
    this.#mailbox.clear()
    this.#abort.abort(reason)
    this.#mailbox.post(() => this.#terminate(reason))
  }

  // A channel that is slower than what comes in shall not gather it without end.
  #post (run: () => void | Promise<void>, size = 0): void {
    if (this.#mailbox.size > this.connection.settings.maxBuffered) this.connection.destroy('overflow')
    else this.#mailbox.post(run, size)
  }

  #admit (ref: Ref, payload: unknown): void | Promise<void> {
    return chain(() => this.#channel.join(this.topic, payload, this), (answer) => {
      const outcome = outcomeOf('join', answer)
      this.#isAdmitted = 'ok' in outcome
      if (this.#reason !== null) return
      if ('ok' in outcome) return this.#enter(ref, outcome.ok)
      this.#refuse(ref, 'error', outcome.error)
    }, (err) => {
      const isForbidden = err instanceof PST_ERR_FORBIDDEN
      if (!isForbidden) this.#blame(err)
      this.#refuse(ref, isForbidden ? 'forbidden' : 'error', { reason: isForbidden ? 'unauthorized' : 'join crashed' })
    })
  }

  #enter (ref: Ref, response: unknown): void | Promise<void> {
    const { connection, presences } = this.#client
    presences.flush(this.topic)   // of the time before
    this.#isSubscribed = true
    const answer = () => { if (this.#reason === null) this.#reply(ref, 'ok', response) }
    return chain(() => subscribeBehind(connection, recordTopic(this.topic), answer), () => { this.#begin() }, (err) => { throw err })
  }

  #begin (): void {
    if (this.#reason !== null) return
    this.#isJoined = true
    if (this.#channel.presence === true) this.push('presence_state', this.#client.presences.list(this.topic))
    for (const step of this.#early.splice(0)) step()
  }

  #refuse (ref: Ref, reason: EndReason, response: unknown): void {
    if (this.#reason !== null) return
    this.#reply(ref, 'error', response)
    this.end(reason, null)
  }

  #run (call: () => ReturnType<NonNullable<Channel['handleIn']>>, ref: Ref): void | Promise<void> {
    return chain<Answer | void>(call, (answer) => { this.#answer(answer, ref) }, (err) => { this.#crash(err) })
  }

  #answer (answer: unknown, ref: Ref): void {
    if (answer === undefined || this.#reason !== null) return
    if (typeof answer !== 'object' || answer === null) throw new PST_ERR_ARGUMENT('a channel', 'answers that are { reply }, { stop } or nothing', typeof answer)
    const { reply, stop } = answer as Answer
    if (reply !== undefined) {
      const outcome = outcomeOf('reply', reply)
      if (ref !== null) this.#reply(ref, 'ok' in outcome ? 'ok' : 'error', 'ok' in outcome ? outcome.ok : outcome.error)
    }
    if (stop !== undefined) this.end(String(stop), 'phx_close')
  }

  #reply (ref: Ref, status: Status, response: unknown = {}): void {
    const { topic, joinRef } = this
    this.#client.send({ joinRef, ref, topic, event: 'phx_reply', payload: response, status })
  }

  #crash (err: unknown): void {
    this.#blame(err)
    this.end('error', 'phx_error')
  }

  #blame (err: unknown): void {
    this.connection.log.error({ err, connection: this.connection.id, topic: this.topic }, 'a channel failed')
  }

  #terminate (reason: EndReason): void | Promise<void> {
    return chain(() => this.#isAdmitted ? this.#channel.terminate?.(reason, this) : undefined, () => { this.#settle() }, (err) => {
      this.#blame(err)
      this.#settle()
    })
  }
}

function outcomeOf (what: string, outcome: unknown): { ok: unknown } | { error: unknown } {
  const given = Object(outcome) as object
  if (Number('ok' in given) + Number('error' in given) !== 1) throw new PST_ERR_ARGUMENT(what, '{ ok: response } or { error: response }', typeof outcome)
  return given as { ok: unknown } | { error: unknown }
}
