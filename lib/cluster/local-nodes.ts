/** Nodes without an engine: the apps of one process that share a log. */
import { makeId } from '../connection/id.ts'
import { checkSaid, type Nodes, type NodeWatcher, type OwnNode } from './nodes.ts'

interface Member { readonly said: Map<string, string>, readonly watcher: NodeWatcher }

export class LocalNodes implements Nodes {
  readonly #members = new Map<string, Member>()

  isUsed (): boolean {
    return true   // it costs nothing
  }

  join (watcher: NodeWatcher): OwnNode {
    const members = this.#members
    const id = makeId()
    const own: Member = { said: new Map(), watcher }
    const tell = (key: string, value: string | null) => {
      for (const { watcher } of [...members.values()]) watcher.changed(id, key, value)
    }
    for (const [node, { said }] of members) for (const [key, value] of said) watcher.changed(node, key, value)
    members.set(id, own)
    return {
      id,
      get alive () { return [...members.keys()].sort() },
      ready: Promise.resolve(),
      set: (key, value) => {
        checkSaid(key, value)
        if (own.said.get(key) === (value ?? undefined)) return
        if (value === null) own.said.delete(key)
        else own.said.set(key, value)
        tell(key, value)
      },
      send: async (to, body) => {
        const receivers = [...members].filter(([node]) => to === null ? node !== id : node === to)
        await Promise.resolve()   // never within the call
        for (const [, { watcher }] of receivers) watcher.message(id, body)
      },
      leave: async () => {
        for (const key of own.said.keys()) tell(key, null)
        own.said.clear()
        members.delete(id)
        for (const { watcher } of [...members.values()]) watcher.left(id)
      }
    }
  }
}
