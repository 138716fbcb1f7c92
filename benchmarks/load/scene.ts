/** What the programs here that publish start beside the server: the engine that has the log, if there is one, a publisher, crowds of clients. */
import { Engine } from '../chaos/engine.ts'
import { Child } from '../child.ts'
import type { ClientsSettings } from './clients.ts'
import { Crowd } from './crowd.ts'
import type { Published, PublisherSettings } from './publisher.ts'
import type { ServerSettings } from './server.ts'
import { ServerProcess } from './server-process.ts'

const ANSWER = 60_000

const LOGS: readonly string[] = ['memory', 'redis']

export class Scene {
  readonly #engine: Engine | null
  readonly #lifetime: number
  readonly #started: Array<{ stop: () => Promise<void> }> = []
  #publisher: Child | null = null

  private constructor (engine: Engine | null, lifetime: number) {
    this.#engine = engine
    this.#lifetime = lifetime
  }

  /**
   * @param log where it is: `memory` or `redis`
   * @param lifetime what it may take at most, s
   */
  static async open (log: string, lifetime: number): Promise<Scene> {
    if (!LOGS.includes(log)) throw new Error(`--log is one of ${LOGS.join(', ')}`)
    return new Scene(log === 'redis' ? await Engine.start(log, true) : null, lifetime)
  }

  /** Whether events outlive a server. */
  get isShared (): boolean {
    return this.#engine !== null
  }

  server (settings: Partial<ServerSettings>): ServerProcess {
    return this.#keep(new ServerProcess({ redis: this.#redis, lifetime: this.#lifetime, ...settings }))
  }

  crowd (settings: Partial<ClientsSettings> & Pick<ClientsSettings, 'port' | 'count'>): Crowd {
    return this.#keep(new Crowd({ lifetime: this.#lifetime, ...settings }))
  }

  /**
   * From now on events are published.
   * @param every ms
   */
  async publish (port: number, every: number): Promise<void> {
    const settings: PublisherSettings = { port, redis: this.#redis, every, lifetime: this.#lifetime }
    this.#publisher = this.#keep(new Child('load/publisher', [JSON.stringify(settings)]))
    await this.#publisher.ask('start', ANSWER)
  }

  async published (): Promise<Published> {
    return await (this.#publisher as Child).ask<Published>('published', ANSWER)
  }

  /** Nothing more is published. Resolves when it is known what became of everything, and the publisher has gone. */
  async silence (): Promise<Published> {
    const publisher = this.#publisher as Child
    const published = await publisher.ask<Published>('stop', ANSWER)
    await publisher.stop()
    return published
  }

  async close (): Promise<void> {
    await Promise.all(this.#started.map((started) => started.stop()))
    await this.#engine?.remove()
  }

  get #redis (): number | null {
    return this.#engine?.port ?? null
  }

  #keep<Started extends { stop: () => Promise<void> }> (started: Started): Started {
    this.#started.push(started)
    return started
  }
}
