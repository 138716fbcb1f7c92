/** The contract of what the processes that share a log, its nodes, know of each other. */

/**
 * Each node says things under keys, and knows what all living ones say; and they send messages to each other.
 * `test/contract/nodes.ts` is the contract as tests.
 */
export interface Nodes {
  /** Whether some process is one of the nodes already. */
  isUsed: () => boolean | Promise<boolean>
  /** This process becomes one of them, at once or, while the engine is away, when it is back. It holds something open until it leaves. */
  join: (watcher: NodeWatcher) => OwnNode
}

/** This process, among the nodes. */
export interface OwnNode {
  /** Random; letters, digits, `_` and `-`. */
  readonly id: string
  /** The ids of the living nodes in alphabetical order, itself included. One that dies is in it for a while. */
  readonly alive: readonly string[]
  /** Resolves when what all others say has come for the first time. Never rejects. */
  readonly ready: Promise<void>
  /**
   * What this node says under a key, from now on and as long as it lives; null: nothing. Its own watcher is told at once, the
   * others soon, also if the engine is away until then: what changes in between need not be told.
   * @throws RangeError for more than `MAX_SAID` characters, key and value together
   */
  set: (key: string, value: string | null) => void
  /**
   * Sends a message to one node, or to all others. It comes at most once; behind what was sent before to the one, or to all.
   * @param to null: to all others
   * @returns resolves when the engine has it; rejects with PST_ERR_LOG when it may not have it
   */
  send: (to: string | null, body: string) => Promise<void>
  /** Says goodbye: all that it said is gone everywhere. Resolves when nothing of it is left. */
  leave: () => Promise<void>
}

/** What a node is told. */
export interface NodeWatcher {
  /** What a node says under a key is something else than before; null: nothing any more. Of a node that has died it is told for each key. */
  changed: (node: string, key: string, value: string | null) => void
  /** Another node has died or left, and nothing comes of it any more unless it turns out to live. */
  left: (node: string) => void
  /** A node has sent this here. */
  message: (from: string, body: string) => void
  /** Nothing is heard of the others for now, because of this. Told once, until `recovered`. */
  failed: (error: unknown) => void
  /** After `failed`: the others are heard again. */
  recovered: () => void
  /** Somebody sent what can't be a message of a node: it is left out. */
  refused: (error: unknown) => void
}

/** Of what a node says under one key. */
export const MAX_SAID = 8_192

/** Of a message, in bytes: what any engine carries. */
export const MAX_BODY = 512 * 1024

/** @throws RangeError */
export function checkSaid (key: string, value: string | null): void {
  if (key.length + (value?.length ?? 0) > MAX_SAID) throw new RangeError(`a node may not say more than ${MAX_SAID} characters under one key`)
}
