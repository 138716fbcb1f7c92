/** What faults befall: an engine, nodes that hear it by a proxy each, a publisher, and clients of all nodes. */
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../test/support/free-port.ts'
import { Child } from '../child.ts'
import type { ClientsSettings, Reading, Seen } from './clients.ts'
import { Engine, type EngineName, type EngineSettings } from './engine.ts'
import type { Line, NodeSettings } from './node.ts'
import { Proxy } from './proxy.ts'
import type { Outcome, PublisherSettings } from './publisher.ts'
import { type Random, seeded } from './random.ts'
import { isComplete } from './verdict.ts'

export interface SceneSettings {
  engine: EngineName
  nodes: number
  clients: number
  /** Events a second. */
  rate: number
  /** Of a publish, ms. */
  timeout: number
  seed: number
  /** s; what it may take at most. */
  lifetime: number
  /** Whether the engine has again what it had when it was killed. Default: true. */
  keeps?: boolean
  /** Whether a node publishes by its proxy as well, or only hears by it. Default: false. */
  isAllByProxy?: boolean
  engineSettings?: EngineSettings
  node?: Partial<NodeSettings>
  client?: Partial<ClientsSettings>
}

const PATIENCE = 30_000

export class Node {
  readonly proxy: Proxy
  readonly settings: NodeSettings
  #child: Child

  constructor (proxy: Proxy, settings: NodeSettings) {
    this.proxy = proxy
    this.settings = settings
    this.#child = this.#fork()
  }

  /** Resolves when it listens. */
  async ready (): Promise<void> {
    await this.ask('ready')
  }

  async ask<Answer> (question: string): Promise<Answer> {
    return await this.#child.ask<Answer>(question, PATIENCE)
  }

  /** Its log, without what each request and stream has in it. */
  async lines (msg?: string): Promise<Line[]> {
    const lines = await this.ask<Line[]>('lines')
    return msg === undefined ? lines : lines.filter((line) => line.msg === msg)
  }

  /** SIGKILL, and gone when it resolves. */
  async kill (): Promise<void> {
    await this.#child.stop()
  }

  async restart (): Promise<void> {
    this.#child = this.#fork()
    await this.ready()
  }

  #fork (): Child {
    return new Child('chaos/node', [JSON.stringify(this.settings)])
  }
}

export class Scene {
  readonly engine: Engine
  readonly nodes: readonly Node[]
  readonly random: Random
  readonly #clients: Child
  readonly #publisher: Child

  private constructor (engine: Engine, nodes: readonly Node[], random: Random, clients: Child, publisher: Child) {
    this.engine = engine
    this.nodes = nodes
    this.random = random
    this.#clients = clients
    this.#publisher = publisher
  }

  /** Resolves when all clients are open; nothing is published yet. */
  static async open (settings: SceneSettings): Promise<Scene> {
    const { engine: name, rate, timeout, seed, lifetime, keeps = true, isAllByProxy = false } = settings
    const engine = await Engine.start(name, keeps, settings.engineSettings)
    const place = { engine: name, port: engine.port, timeout }
    const nodes: Node[] = []
    for (let n = 0; n < settings.nodes; n++) {
      const proxy = await Proxy.open(engine.port)
      const own = await freePort()
      const port = isAllByProxy ? proxy.port : engine.port
      nodes.push(new Node(proxy, { ...place, port, tailPort: proxy.port, own, heartbeat: 15_000, every: 0, count: 0, pause: 0, lifetime, ...settings.node }))
    }
    const clientsSettings: ClientsSettings = {
      ports: nodes.map(({ settings }) => settings.own), path: '/', count: settings.clients, heartbeatTimeout: 45_000, retry: 500, lifetime, ...settings.client
    }
    const publisherSettings: PublisherSettings = { ...place, tailPort: engine.port, every: 1_000 / rate, retries: keeps, lifetime }
    const clients = new Child('chaos/clients', [JSON.stringify(clientsSettings)])
    const publisher = new Child('chaos/publisher', [JSON.stringify(publisherSettings)])
    const scene = new Scene(engine, nodes, seeded(seed), clients, publisher)
    try {
      await Promise.all(nodes.map((node) => node.ready()))
      await clients.ask('enter', 2 * PATIENCE)
      return scene
    } catch (err) {
      await scene.close()
      throw err
    }
  }

  /** From now on numbers are published, from 0. */
  async publish (): Promise<void> {
    await this.#publisher.ask('start', PATIENCE)
  }

  async outcome (): Promise<Outcome> {
    return await this.#publisher.ask<Outcome>('outcome', PATIENCE)
  }

  /** Nothing more is published. Resolves when it is known what became of everything. */
  async silence (): Promise<Outcome> {
    return await this.#publisher.ask<Outcome>('stop', PATIENCE)
  }

  async reading (): Promise<Reading> {
    return await this.#clients.ask<Reading>('read', PATIENCE)
  }

  async seen (): Promise<Seen[]> {
    return await this.#clients.ask<Seen[]>('seen', PATIENCE)
  }

  /** A while that the seed tells, ms. */
  async pause (from: number, to: number): Promise<void> {
    await delay(this.random(from, to))
  }

  /** Resolves with false if it does not come about, and the run goes on to say what else is wrong. */
  async until (condition: () => Promise<boolean>, ms = PATIENCE): Promise<boolean> {
    const deadline = performance.now() + ms
    while (!await condition()) {
      if (performance.now() > deadline) return false
      await delay(20)
    }
    return true
  }

  /** Waits until all clients have got as far as this number. */
  async reached (n: number): Promise<boolean> {
    return await this.until(async () => (await this.reading()).reached >= n)
  }

  /** Waits until all clients have what was acknowledged. */
  async reachedAll (outcome: Outcome): Promise<boolean> {
    return await this.until(async () => isComplete(await this.seen(), outcome))
  }

  async close (): Promise<void> {
    await Promise.all([this.#publisher.stop(), this.#clients.stop(), ...this.nodes.map((node) => node.kill())])
    for (const { proxy } of this.nodes) proxy.close()
    await this.engine.remove()
  }
}
