/** This process among those that share its log: it joins them when one of them has a use for that, and not before. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Log as Logger } from '../connection/host.ts'
import type { Log } from '../topics/log.ts'
import { LocalNodes } from './local-nodes.ts'
import type { Nodes, NodeWatcher, OwnNode } from './nodes.ts'

/** What is told of the other nodes, and only once this process has joined them. */
export type Listener = Pick<NodeWatcher, 'changed' | 'left' | 'message'>

// The topic of the record that wakes all who follow the log: no app can name one that begins with a control character.
const WAKE = '\x01nodes'

// So long after the record they have joined, if they follow the log at all; and so long a start waits for what others say, ms.
const SETTLED = 1_000
const PATIENCE = 2_000

// Until the record is tried again, ms.
const AGAIN = 1_000

export class Cluster {
  readonly #log: Log
  readonly #nodes: Nodes
  readonly #logger: Logger
  readonly #listeners: Listener[] = []
  readonly #unfollow: (() => void | Promise<void>) | null
  /** Whether the log is one that other processes share. */
  readonly isShared: boolean
  readonly #end = new AbortController()
  #own: OwnNode | null = null
  #isHeard = false
  #ready: Promise<void> = Promise.resolve()

  constructor (log: Log, logger: Logger) {
    this.#log = log
    this.#logger = logger
    this.#nodes = log.nodes ?? new LocalNodes()
    this.isShared = !(this.#nodes instanceof LocalNodes)
    this.#unfollow = this.isShared ? log.follow(({ topic }) => { if (topic === WAKE) this.#awake() }) : null
  }

  /** Who listens has to be here before anybody joins. */
  listen (listener: Listener): void {
    this.#listeners.push(listener)
  }

  /** Joins the others, wakes those who have not, and answers this node. */
  use (): OwnNode {
    if (this.#own !== null) return this.#own
    const own = this.#join()
    if (this.#unfollow !== null) this.#ready = this.#wake(own)
    return own
  }

  /** Whether the others are heard, as far as is known: what they say may be news otherwise. */
  get isHeard (): boolean {
    return this.#isHeard
  }

  /** Resolves when this process knows of all others, and of what they say. */
  get ready (): Promise<void> {
    return this.#ready
  }

  /** Joins if others have: what they say is here when it resolves, or later if that takes long. */
  async start (): Promise<void> {
    const isUsed = await Promise.resolve(this.#nodes.isUsed()).catch(() => true)   // who can't be asked may be
    if (!isUsed || this.#end.signal.aborted) return
    const { ready } = this.#join()
    await Promise.race([ready, this.#pause(PATIENCE)])
  }

  async stop (): Promise<void> {
    this.#end.abort()
    await this.#unfollow?.()
    await this.#own?.leave()
  }

  #join (): OwnNode {
    if (this.#own !== null) return this.#own
    const nodes = this.#end.signal.aborted ? new LocalNodes() : this.#nodes
    this.#own = nodes.join({
      changed: (node, key, value) => { for (const { changed } of this.#listeners) changed(node, key, value) },
      left: (node) => { for (const { left } of this.#listeners) left(node) },
      message: (from, body) => { for (const { message } of this.#listeners) message(from, body) },
      failed: (err) => {
        this.#isHeard = false
        this.#logger.error({ err }, 'the other nodes can not be heard')
      },
      recovered: () => {
        this.#isHeard = true
        this.#logger.info({}, 'the other nodes are heard again')
      },
      refused: (err) => { this.#logger.error({ err }, 'what can not be from a node was left out') }
    })
    this.#ready = this.#own.ready.then(() => { this.#isHeard = true })
    return this.#own
  }

  // Others do so at this moment.
  #awake (): void {
    if (this.#own !== null || this.#end.signal.aborted) return
    this.#ready = this.#join().ready.then(() => this.#pause(SETTLED))
  }

  // Nobody was a node when this process started, or it would be one.
  async #wake ({ ready }: OwnNode): Promise<void> {
    await ready
    while (!this.#end.signal.aborted) {
      try {
        await this.#log.append({ topic: WAKE, data: '', json: false })
        break
      } catch (err) {
        this.#logger.error({ err }, 'the other nodes can not be woken')
        await this.#pause(AGAIN)
      }
    }
    await this.#pause(SETTLED)
  }

  async #pause (ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#end.signal, ref: false }).catch(() => {})
  }
}
