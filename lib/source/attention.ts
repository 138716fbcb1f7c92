/** Of resumable streams, what the nodes say of themselves: that they feed one, and that they have clients of one. */
import type { Cluster } from '../cluster/cluster.ts'
import { isProduced } from '../topics/produced.ts'

type Verb = 'feeds' | 'hears'

export class Attention {
  readonly #cluster: Cluster
  // By what is said of which topic, the nodes that say it.
  readonly #nodes = new Map<string, Set<string>>()

  /** @param changed is called with a topic of which something else is true now */
  constructor (cluster: Cluster, changed: (topic: string) => void) {
    this.#cluster = cluster
    cluster.listen({
      changed: (node, key, value) => {
        const topic = key.slice(key.indexOf(' ') + 1)
        if (!isProduced(topic)) return
        this.#change(node, key, value !== null)
        changed(topic)
      },
      left: () => {},
      message: () => {}
    })
  }

  /** Whether there can be others at all. */
  get isShared (): boolean {
    return this.#cluster.isShared
  }

  /** Whether what others say is known, but for what is under way. */
  get isUpToDate (): boolean {
    return this.#cluster.isHeard
  }

  /** Resolves when what all others say is known. */
  async known (): Promise<void> {
    this.#cluster.use()
    await this.#cluster.ready
  }

  /** This node says so, or not any more. */
  say (verb: Verb, topic: string, isSo: boolean): void {
    if (this.isShared) this.#cluster.use().set(keyOf(verb, topic), isSo ? '' : null)
  }

  /** Whether any node says so. */
  isSo (verb: Verb, topic: string): boolean {
    return this.#nodes.has(keyOf(verb, topic))
  }

  #change (node: string, key: string, isSo: boolean): void {
    const nodes = this.#nodes.get(key) ?? new Set()
    if (isSo) nodes.add(node)
    else nodes.delete(node)
    if (nodes.size === 0) this.#nodes.delete(key)
    else this.#nodes.set(key, nodes)
  }
}

function keyOf (verb: Verb, topic: string): string {
  return `${verb} ${topic}`
}
