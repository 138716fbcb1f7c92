/** What nodes need of NATS: a stream in its memory, with a subject for each who lives, one to all, and one to each. */
import type { Exchange, Living, Parcel } from '../nodes/exchange.ts'
import { inTime } from '../unavailable.ts'
import type { Info, JetStream, Manager } from './client.ts'
import { type Ears, hear, listen } from './ears.ts'

const NS = 1e6

// What is asked while the client is not connected is never answered, also when it is connected again: so long that is waited for, ms.
// The others do not wait longer for a sign of life.
const PATIENCE = 2_000

// A consumer that nobody has asked for so long is deleted, ns.
const INACTIVE = 10_000 * NS

// Of what is there for late hearers, bytes.
const MAX_BYTES = 64 * 1024 * 1024

export class NatsExchange implements Exchange<Ears> {
  readonly #client: JetStream
  readonly #manager: Manager
  readonly #name: string
  readonly #id: string
  readonly #ttl: number
  readonly #timeout: number

  /** @param log the name of its stream */
  constructor (client: JetStream, manager: Manager, log: string, id: string, ttl: number, timeout: number) {
    this.#client = client
    this.#manager = manager
    this.#name = nameOf(log)
    this.#id = id
    this.#ttl = ttl
    this.#timeout = timeout
  }

  static async isUsed (manager: Manager, log: string): Promise<boolean> {
    const name = nameOf(log)
    try {
      return livingOf(await manager.streams.info(name, { subjects_filter: `${name}.alive.>` })).size !== 0
    } catch (err) {
      if (isUnknown(err)) return false
      throw err
    }
  }

  async open (): Promise<Ears> {
    const { config } = await inTime(this.#info(), Math.min(PATIENCE, this.#ttl / 2))   // without a stream there is nothing to listen to
    const age = this.#ttl * NS
    if (config.max_age !== age) await this.#manager.streams.update(this.#name, { ...config, max_age: age, duplicate_window: age } as never)
    const { consumers } = this.#client
    const subjects = ['all', `to.${this.#id}`]
    return await listen(await Promise.all(subjects.map((subject) => {
      const options = { deliver_policy: 'new', filter_subjects: `${this.#name}.${subject}`, inactive_threshold: INACTIVE / NS }
      return consumers.get(this.#name, options as never)
    })))
  }

  async look (_own: Ears, version: number): Promise<Living> {
    const versions = livingOf(await this.#info())
    await this.#publish(`alive.${this.#id}.${version}`, '')
    return { isKnown: versions.has(this.#id), versions }
  }

  async hear (own: Ears, ms: number): Promise<string[]> {
    return (await hear(own, ms)).map((message) => message.string())
  }

  async post (parcels: readonly Parcel[]): Promise<void> {
    await Promise.all(parcels.map(({ to, text }) => this.#publish(to === null ? 'all' : `to.${to}`, text)))
  }

  async leave (parcels: readonly Parcel[]): Promise<void> {
    for (const subject of ['alive', 'to']) await this.#manager.streams.purge(this.#name, { filter: `${this.#name}.${subject}.${this.#id}${subject === 'alive' ? '.>' : ''}` })
    await this.post(parcels)
  }

  async #publish (subject: string, text: string): Promise<void> {
    await this.#client.publish(`${this.#name}.${subject}`, text, { timeout: this.#timeout })
  }

  // Made if it is not there: another node may do so at the same time.
  async #info (): Promise<Info> {
    const { streams } = this.#manager
    const look = () => streams.info(this.#name, { subjects_filter: `${this.#name}.alive.>` })
    try {
      return await look()
    } catch (err) {
      if (!isUnknown(err)) throw err
      const config = { name: this.#name, subjects: [`${this.#name}.>`], storage: 'memory', max_age: this.#ttl * NS, max_bytes: MAX_BYTES }
      return await streams.add(config as never).then(look, (err: unknown) => look().catch(() => { throw err }))
    }
  }
}

// No log has this name.
function nameOf (log: string): string {
  return `${log}+nodes`
}

// A node that has said more meanwhile is there more than once.
function livingOf ({ state }: Info): Map<string, number> {
  const versions = new Map<string, number>()
  for (const subject of Object.keys(state.subjects ?? {})) {
    const [id, version] = subject.split('.').slice(-2) as [string, string]
    versions.set(id, Math.max(versions.get(id) ?? 0, Number(version)))
  }
  return versions
}

function isUnknown (err: unknown): boolean {
  return err instanceof Error && /stream not found/i.test(err.message)
}
