/** Nodes on an engine: it knows who lives and carries messages; what each says is in the memory of all. */
import { checkSaid, type Nodes, type NodeWatcher, type OwnNode } from '../../lib/cluster/nodes.ts'
import { defer } from '../../lib/connection/deferred.ts'
import { makeId } from '../../lib/connection/id.ts'
import { PST_ERR_LOG } from '../../lib/errors.ts'
import { type Closable, PATIENCE, Tail } from '../tail.ts'
import { inTime, unavailable } from '../unavailable.ts'
import type { Exchange, Living } from './exchange.ts'
import { type Change, decode, encode, type Message, sizeOf } from './message.ts'
import { Peer } from './peer.ts'
import { Post } from './post.ts'

export interface NodeSettings {
  /** The engine takes a node for dead that has said nothing for so long, ms. */
  readonly ttl: number
  /** ms in which the engine has to answer. */
  readonly timeout: number
}

// How often within that time a node says that it lives.
const BEATS = 4

// Of what is told in one message, in characters.
const PART = 64 * 1024

// What is sent by mistake is told of at most so often, ms.
const REFUSAL_EVERY = 60_000

export class RemoteNodes<Own extends Closable> implements Nodes {
  readonly #exchange: (id: string) => Exchange<Own>
  readonly #isUsed: () => Promise<boolean>
  readonly #settings: NodeSettings

  constructor (settings: NodeSettings, exchange: (id: string) => Exchange<Own>, isUsed: () => Promise<boolean>) {
    this.#settings = settings
    this.#exchange = exchange
    this.#isUsed = isUsed
  }

  async isUsed (): Promise<boolean> {
    return await inTime(this.#isUsed(), this.#settings.timeout)
  }

  join (watcher: NodeWatcher): OwnNode {
    const id = makeId()
    return new RemoteNode(id, this.#exchange(id), this.#settings, watcher)
  }
}

class RemoteNode<Own extends Closable> implements OwnNode {
  readonly id: string
  readonly #exchange: Exchange<Own>
  readonly #settings: NodeSettings
  readonly #watcher: NodeWatcher
  readonly #post: Post
  readonly #tail: Tail<Own, Living, readonly string[]>
  readonly #ready = defer<void>()
  readonly #peers = new Map<string, Peer>()
  // Who has said goodbye, and when: an answer of the engine may be older than that.
  readonly #gone = new Map<string, number>()
  readonly #said = new Map<string, string>()
  // What the others are not told of yet.
  #changes = new Map<string, string | null>()
  #version = 0
  // Whether the others are heard.
  #isUp = false
  #looked = -Infinity
  // Since when all who live have been able to say so.
  #since = -Infinity
  #refused = -Infinity

  constructor (id: string, exchange: Exchange<Own>, settings: NodeSettings, watcher: NodeWatcher) {
    this.id = id
    this.#exchange = exchange
    this.#settings = settings
    this.#watcher = watcher
    this.#post = new Post((parcels) => exchange.post(parcels), settings.timeout)
    this.#tail = new Tail({
      open: (signal) => exchange.open(signal),
      look: (own) => exchange.look(own, this.#version),
      found: (living) => { this.#found(living) },
      hear: (own, ms) => exchange.hear(own, ms),
      heard: (texts) => {
        for (const text of texts) this.#hear(text)
        return false
      },
      failed: (err) => {
        this.#isUp = false
        watcher.failed(unavailable(err))
      },
      recovered: () => { watcher.recovered() }
    }, Math.ceil(settings.ttl / BEATS), Math.min(PATIENCE, settings.ttl / 2))
  }

  get alive (): readonly string[] {
    return [this.id, ...this.#peers.keys()].sort()
  }

  get ready (): Promise<void> {
    return this.#ready.promise
  }

  set (key: string, value: string | null): void {
    checkSaid(key, value)
    if (this.#said.get(key) === (value ?? undefined)) return
    if (value === null) this.#said.delete(key)
    else this.#said.set(key, value)
    if (this.#changes.size === 0) process.nextTick(() => { this.#announce() })   // what changes in a tick goes together
    this.#changes.set(key, value)
    this.#watcher.changed(this.id, key, value)
  }

  async send (to: string | null, body: string): Promise<void> {
    if (!this.#isUp) throw new PST_ERR_LOG('the other nodes are not heard')
    this.#announce()
    await this.#post.send(to, encode({ type: 'tell', from: this.id, body }))
  }

  async leave (): Promise<void> {
    const wasUp = this.#isUp
    this.#isUp = false
    await this.#tail.stop()
    this.#ready.settle()
    if (!wasUp) return   // the engine finds out by itself
    await inTime(this.#sayGoodbye(), this.#settings.timeout).catch((err: unknown) => { this.#watcher.failed(err) })
  }

  async #sayGoodbye (): Promise<void> {
    await this.#post.empty()
    await this.#exchange.leave([{ to: null, text: encode({ type: 'bye', from: this.id }) }])
  }

  // Whoever misses one learns of it at the next look, and asks.
  #announce (): void {
    const changes = [...this.#changes]
    if (changes.length === 0) return
    this.#changes = new Map()
    for (const part of partsOf(changes)) {
      const after = this.#version++
      this.#tell(null, { type: 'said', from: this.id, after, version: this.#version, changes: part })
    }
  }

  // What is not sent is found to be missing.
  #tell (to: string | null, message: Message): void {
    if (this.#isUp) this.#post.send(to, encode(message)).catch(() => {})
  }

  #found ({ isKnown, versions }: Living): void {
    const now = performance.now()
    const { ttl } = this.#settings
    this.#isUp = true
    if (!isKnown || now - this.#looked > ttl / 2) {
      this.#since = now   // the engine was away, or empty: those who live will say so
      this.#tell(null, { type: 'said', from: this.id, after: this.#version, version: this.#version, changes: [] })
    }
    this.#looked = now
    for (const [id, at] of this.#gone) if (now - at > ttl * 2) this.#gone.delete(id)
    for (const [id, version] of versions) {
      const peer = this.#peer(id)
      if (peer === null) continue
      peer.target = Math.max(peer.target, version)
      this.#ask(id, peer, now)
    }
    for (const [id, peer] of this.#peers) {
      const isDead = !versions.has(id) && now - this.#since >= ttl && now - peer.heard >= ttl / BEATS
      if (isDead) this.#drop(id, peer)
    }
    this.#checkReady()
  }

  #hear (text: string): void {
    let message: Message
    try {
      message = decode(text)
    } catch (err) {
      this.#refuse(err)
      return
    }
    const { from } = message
    const peer = this.#peer(from)
    if (peer === null) return
    peer.heard = performance.now()
    if (message.type === 'bye') {
      this.#gone.set(from, peer.heard)
      this.#drop(from, peer)
    } else if (message.type === 'tell') {
      this.#watcher.message(from, message.body)
    } else if (message.type === 'ask') {
      this.#answer(from)
    } else {
      if (message.type === 'said') peer.take(message)
      else peer.takeAll(message)
      this.#ask(from, peer, peer.heard)
    }
    this.#checkReady()
  }

  // Null: it is this one, or it has left.
  #peer (id: string): Peer | null {
    if (id === this.id || this.#gone.has(id)) return null
    let peer = this.#peers.get(id)
    if (peer === undefined) this.#peers.set(id, peer = new Peer((key, value) => { this.#watcher.changed(id, key, value) }))
    return peer
  }

  // An answer, or a part of one, may be on its way.
  #ask (id: string, peer: Peer, now: number): void {
    if (!peer.isBehind || now - peer.asked < this.#settings.ttl / BEATS) return
    peer.asked = now
    this.#tell(id, { type: 'ask', from: this.id })
  }

  #answer (to: string): void {
    this.#announce()
    if (this.#post.isFull) return   // it will ask again
    const parts = partsOf([...this.#said])
    parts.forEach((changes, part) => {
      this.#tell(to, { type: 'all', from: this.id, version: this.#version, part, isLast: part === parts.length - 1, changes })
    })
  }

  #drop (id: string, peer: Peer): void {
    this.#peers.delete(id)
    peer.drop()
    this.#watcher.left(id)
  }

  #checkReady (): void {
    if (![...this.#peers.values()].some(({ isBehind }) => isBehind)) this.#ready.settle()
  }

  #refuse (err: unknown): void {
    const now = performance.now()
    if (now - this.#refused < REFUSAL_EVERY) return
    this.#refused = now
    this.#watcher.refused(err)
  }
}

// One at least, which may be empty.
function partsOf (changes: readonly Change[]): Change[][] {
  const parts: Change[][] = [[]]
  let size = 0
  for (const change of changes) {
    if (size > PART) {
      parts.push([])
      size = 0
    }
    parts.at(-1)?.push(change)
    size += sizeOf(change)
  }
  return parts
}
