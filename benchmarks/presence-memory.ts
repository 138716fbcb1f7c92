/**
 * What presence costs a process: bytes for each member, on its own node and on every other one.
 *
 *     node --expose-gc dist/benchmarks/presence-memory.js [members]
 */
import { Cluster } from '../lib/cluster/cluster.ts'
import { Presence } from '../lib/cluster/presence.ts'
import { makeId } from '../lib/connection/id.ts'
import type { Connection } from '../lib/connection/connection.ts'
import { MemoryLog } from '../lib/topics/memory-log.ts'
import { encode } from '../logs/nodes/message.ts'
import { RemoteNodes } from '../logs/nodes/remote-nodes.ts'

const members = Number(process.argv[2] ?? 100_000)
const ROOMS = members / 100
const BATCH = 500
const log = { info () {}, error () {} }

/** An engine on which this node hears what one other one says, and nothing that it says itself is kept. */
class Ear {
  readonly #texts: string[] = []
  #arrived = () => {}

  readonly nodes = new RemoteNodes({ ttl: 60_000, timeout: 1_000 }, () => ({
    open: async () => ({ close () {} }),
    look: async () => ({ isKnown: true, versions: new Map() }),
    hear: async () => {
      if (this.#texts.length === 0) await new Promise<void>((resolve) => { this.#arrived = resolve })
      return this.#texts.splice(0)
    },
    post: async () => {},
    leave: async () => {}
  }), async () => true)

  say (text: string): void {
    this.#texts.push(text)
    this.#arrived()
  }
}

function presenceOf (nodes: RemoteNodes<{ close: () => void }>): Presence {
  const cluster = new Cluster(Object.assign(new MemoryLog(), { nodes }) as never, log)
  const presence = new Presence(cluster, log)
  presence.count('nobody')
  return presence
}

function heap (): number {
  (globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().heapUsed
}

async function measure (what: string, fill: (presence: Presence, ear: Ear) => Promise<void>): Promise<void> {
  const ear = new Ear()
  const presence = presenceOf(ear.nodes)
  const before = heap()
  const began = performance.now()
  await fill(presence, ear)
  const ms = performance.now() - began
  const bytes = (heap() - before) / members
  const there = Array.from({ length: ROOMS }, (_, room) => presence.count(`room ${room}`)).reduce((sum, count) => sum + count, 0)
  console.log(`${what}: ${Math.round(bytes)} bytes, ${(ms * 1_000 / members).toFixed(1)} µs a member; ${there} are there`)
}

const data = JSON.stringify({ avatar: 'cat', color: '#ffcc00' })
const topicOf = (n: number) => `room ${n % ROOMS}`

await measure('a member of this node', async (presence) => {
  for (let n = 0; n < members; n++) {
    presence.enter({ id: makeId(), name: `user ${n}` } as Connection, topicOf(n), data)
    if (n % BATCH === 0) await new Promise(setImmediate)
  }
  await new Promise(setImmediate)
})

await measure('a member of another node', async (_presence, ear) => {
  for (let n = 0; n < members; n += BATCH) {
    const changes = Array.from({ length: BATCH }, (_, i) => [`${makeId()} ${topicOf(n + i)}`, `["user ${n + i}",${Date.now()},${data}]`] as const)
    ear.say(encode({ type: 'said', from: 'another', after: n / BATCH, version: n / BATCH + 1, changes }))
    await new Promise(setImmediate)
  }
  await new Promise(setImmediate)
})
process.exit()
