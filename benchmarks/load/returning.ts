/** Thousands of clients come back at once, to places in the memory of a server: does each get what it missed, without the event loop or the memory being taken for it? */
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from '../child.ts'
import type { Return } from '../returning-clients.ts'
import { verdict } from '../verdict.ts'

const ANSWER = 60_000
const PATIENCE = 90_000

// CPU of one turn of the event loop, ms: Node lets in all that wait, and to open a stream takes some 0.2 ms; what they missed comes in turns.
const HELD_EACH = 0.4
const HELD = 100

// What is under way to each, and as much again for the collector, KiB; and what a server needs for itself, MiB.
const GROWTH_EACH = 100
const GROWTH = 64

await verdict({ connections: 10_000, events: 1_500, places: 500 }, async ({ connections, events, places }, faults) => {
  const lifetime = '200'
  const node = new Child('returning-node', ['0', String(events), String(places), lifetime])
  const children = [node]
  try {
    const port = await node.ask<number>('port', ANSWER)
    const clients = new Child('returning-clients', [String(port), String(connections), lifetime])
    children.push(clients)
    const before = await node.ask<number>('rss', ANSWER)
    await node.ask('mark', ANSWER)
    const began = performance.now()
    await clients.ask('return', ANSWER)
    let most = before
    let found = await clients.ask<Return>('read', ANSWER)
    while (found.complete < connections && performance.now() - began < PATIENCE) {
      await delay(100)
      most = Math.max(most, await node.ask<number>('rss', ANSWER))
      found = await clients.ask<Return>('read', ANSWER)
    }
    const seconds = (performance.now() - began) / 1_000
    const held = await node.ask<number>('held', ANSWER)
    const growth = most - before
    faults.expect(found.complete === connections, `${found.complete} of ${connections} have the newest`)
    faults.expect(found.faults.length + found.gaps === 0, `missing: ${found.faults.join()}, ${found.gaps} gaps`)
    faults.expect(held <= HELD + HELD_EACH * connections, `the event loop was held for ${Math.round(held)} ms of CPU`)
    faults.expect(growth <= GROWTH + GROWTH_EACH * connections / 1024, `the server took ${growth.toFixed(0)} MiB more`)
    return `${found.complete} of ${connections} clients have all that they missed after ${seconds.toFixed(1)} s, ${found.events} events; ` +
      `the server took ${growth.toFixed(0)} MiB more, ${before.toFixed(0)} before, and ${held.toFixed(0)} ms of CPU in a turn at most`
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
})
