/** The log in a stream of JetStream: one subject for all topics, in the order that NATS gives. */
import { createHash } from 'node:crypto'
import { makeId } from '../../lib/connection/id.ts'
import { formatPosition } from '../../lib/topics/position.ts'
import { type Draft, Record } from '../../lib/topics/record.ts'
import type { Retention } from '../../lib/topics/retained.ts'
import type { Block } from '../blocks.ts'
import { MirroredLog } from '../mirrored-log.ts'
import { RemoteNodes } from '../nodes/remote-nodes.ts'
import { Tail } from '../tail.ts'
import { inTime } from '../unavailable.ts'
import type { Info, JetStream, Manager, Message } from './client.ts'
import { type Ears, hear, listen } from './ears.ts'
import { decode, encode } from './message.ts'
import { NatsExchange } from './nats-exchange.ts'

export interface Settings {
  readonly name: string
  readonly events: number
  readonly age: number
  readonly timeout: number
  readonly nodeTimeout: number
  readonly mirror: Retention
}

interface Life { readonly epoch: string, readonly base: number }

const MAX_MESSAGES = 500
const NS = 1e6

// What NATS says of a stream that is not there.
const NOT_FOUND = 10059

// What is asked while the client is not connected is never answered, also when it is connected again: so long that is waited for, ms.
const PATIENCE = 2_000

// A life's offsets begin behind all of those before it: behind as many as a million events a second would have used.
const BASE = Date.UTC(2024, 0, 1)
const PER_MS = 1024
const LIFE = /^pastelli ([\w-]+) (\d+)$/

export class NatsLog extends MirroredLog {
  readonly nodes: RemoteNodes<Ears>
  readonly #client: JetStream
  readonly #manager: Manager
  readonly #settings: Settings
  #base = 0
  // The sequence number of what was heard last.
  #heard = 0

  private constructor (client: JetStream, manager: Manager, settings: Settings) {
    super(settings.mirror, settings.timeout)
    this.#client = client
    this.#manager = manager
    this.#settings = settings
    const { name, nodeTimeout: ttl, timeout } = settings
    this.nodes = new RemoteNodes({ ttl, timeout }, (id) => new NatsExchange(client, manager, name, id, ttl, timeout), () => NatsExchange.isUsed(manager, name))
  }

  /** @throws what NATS says */
  static async open (client: JetStream, settings: Settings): Promise<NatsLog> {
    const log = new NatsLog(client, await client.jetstreamManager(), settings)
    await log.#begin()
    return log
  }

  override append (draft: Draft): Promise<string> {
    const id = draft.key === undefined ? undefined : createHash('sha256').update(`${draft.topic}\n${draft.key}`).digest('base64url')
    return inTime(this.#publish(encode(draft), id), this.#settings.timeout)
  }

  // What NATS takes for a duplicate of what was trimmed since is published under another id, the same for all who do so.
  async #publish (payload: string, msgID: string | undefined): Promise<string> {
    const { name, timeout } = this.#settings
    const { seq, duplicate } = await this.#client.publish(name, payload, msgID === undefined ? { timeout } : { timeout, msgID })
    if (duplicate && seq < (await this.#manager.streams.info(name)).state.first_seq) return await this.#publish(payload, `${msgID as string}.${seq}`)
    return formatPosition(this.epoch, this.#base + seq)
  }

  async #begin (): Promise<void> {
    const info = await this.#look()
    const { epoch, base } = lifeOf(info) as Life
    const { first_seq: first, last_seq: last } = info.state
    const from = Math.max(first - 1, last - this.#settings.mirror.events, 0)
    this.#base = base
    this.mirror.trim(this.#offsetOf(first - 1))
    this.mirror.begin(epoch, this.#offsetOf(from))
    this.#heard = from
    this.#take(await this.#messages(from, last))
    this.#heard = last
    this.mirror.skipTo(this.#offsetOf(last))
  }

  protected override listen (): Tail<Ears, Info, Message[]> {
    return new Tail({
      open: () => this.#open(),
      look: () => this.#look(),
      found: (info) => { this.#found(info) },
      hear,
      heard: (messages) => {
        this.#take(messages)
        return false
      },
      failed: (err) => { this.mirror.fail(err) },
      recovered: () => { this.mirror.recover() }
    })
  }

  async #open (): Promise<Ears> {
    await inTime(this.#look(), PATIENCE)   // without a stream there is nothing to listen to
    return await listen([await this.#consumer(this.#heard + 1)])
  }

  // The stream, made if it is not there; in another life if it is not the one that was heard.
  async #look (): Promise<Info> {
    const { name, events, age } = this.#settings
    const { streams } = this.#manager
    let info: Info
    try {
      info = await streams.info(name)
    } catch (err) {
      if (Object(err).code !== NOT_FOUND) throw err
      const config = { name, subjects: [name], max_msgs: events, max_age: age * NS, duplicate_window: age * NS, description: makeLife(this.head) }
      // Another node may have made it in the meantime.
      return await streams.add(config as never).catch((err: unknown) => streams.info(name).catch(() => { throw err }))
    }
    const life = lifeOf(info)
    const isLost = life === null || (life.epoch === this.epoch && info.state.last_seq < this.#heard)
    return isLost ? await streams.update(name, { ...info.config, description: makeLife(this.head) } as never) : info
  }

  #found (info: Info): void {
    const { epoch, base } = lifeOf(info) as Life
    const { first_seq: first, last_seq: last } = info.state
    const isLost = epoch !== this.epoch
    this.#base = base
    if (!isLost && first - 1 <= this.#heard) {
      this.mirror.trim(this.#offsetOf(first - 1))
      return
    }
    this.#heard = isLost ? last : first - 1
    this.mirror.lose(epoch, this.#offsetOf(this.#heard), this.#offsetOf(first - 1))
    if (isLost) throw new Error('the log in NATS is another one')   // what listens, listens at the wrong place
  }

  #take (messages: readonly Message[]): void {
    const next = messages.filter(({ seq }) => seq > this.#heard)
    const [first] = next
    if (first !== undefined && first.seq > this.#heard + 1) this.mirror.lose(this.epoch, this.#offsetOf(first.seq - 1), this.#offsetOf(first.seq - 1))
    this.#heard = next.at(-1)?.seq ?? this.#heard
    this.mirror.take(this.#recordsOf(next))
    this.mirror.trim(this.#offsetOf(this.#heard - this.#settings.events))
  }

  #recordsOf (messages: readonly Message[]): Record[] {
    return messages.flatMap((message) => {
      try {
        return [new Record(this.epoch, this.#offsetOf(message.seq), decode(message.string()))]
      } catch (err) {
        this.mirror.refuse(err, String(message.seq))
        return []
      }
    })
  }

  protected override async fetch (after: number): Promise<Block> {
    const info = await this.#manager.streams.info(this.#settings.name)
    const { head } = this
    if (lifeOf(info)?.epoch === this.epoch) this.mirror.trim(this.#offsetOf(info.state.first_seq - 1))
    const from = Math.max(after - this.#base, info.state.first_seq - 1)
    const to = Math.min(from + MAX_MESSAGES, head - this.#base)
    const records = this.#recordsOf(await this.#messages(from, to))
    return { after, through: Math.max(after + 1, this.#offsetOf(to)), records }
  }

  // Those behind one sequence number, and up to another.
  async #messages (from: number, to: number): Promise<Message[]> {
    const found: Message[] = []
    while (from < to) {
      const consumer = await this.#consumer(from + 1)
      const before = from
      for await (const message of await consumer.fetch({ max_messages: Math.min(MAX_MESSAGES, to - from), expires: 1_000 })) {
        if (message.seq > to) break
        found.push(message)
        from = message.seq
      }
      if (from === before) break
    }
    return found
  }

  #consumer (from: number) {
    return this.#client.consumers.get(this.#settings.name, { deliver_policy: 'by_start_sequence', opt_start_seq: from, inactive_threshold: 10_000 } as never)
  }

  #offsetOf (seq: number): number {
    return seq <= 0 ? 0 : this.#base + seq
  }
}

// A clock that was set back since does not lead behind what was heard.
function makeLife (heard: number): string {
  return `pastelli ${makeId().slice(0, 8)} ${Math.max(heard, (Date.now() - BASE) * PER_MS)}`
}

function lifeOf ({ config }: Info): Life | null {
  const [, epoch, base] = LIFE.exec(config.description ?? '') ?? []
  return epoch === undefined ? null : { epoch, base: Number(base) }
}
