/** The system clock of the servers jumps, a day ahead and a day back: do streams, heartbeats, deadlines, positions, retention and presence go on? */
import { setTimeout as delay } from 'node:timers/promises'
import { Engine, type EngineName } from '../chaos/engine.ts'
import { Child } from '../child.ts'
import { type Faults, verdict } from '../verdict.ts'
import type { ClockSettings, Figures } from './clock-node.ts'
import type { Reading } from './clients.ts'
import { Crowd } from './crowd.ts'

const ANSWER = 30_000
const DAY = 86_400_000

// A heartbeat comes 1 to 1.5 intervals after the last; what a busy machine adds, ms.
const LATEST = 1.5
const SLACK = 500

// What is retained beside what was published within the log's age: a share of it, for a machine that publishes less, or trims later.
const LEAST = 0.3
const MOST = 1.5
const PUBLISH_EVERY = 50

const JUMPS = { ahead: DAY, back: -DAY, right: 0 }

interface Scene { engine: Engine | null, nodes: Child[], crowds: Record<'feed' | 'quiet', Crowd[]> }

async function open (scene: Scene, log: string, clients: number, settings: Omit<ClockSettings, 'engine'>): Promise<void> {
  if (log !== 'memory') scene.engine = await Engine.start(log as EngineName, true)
  const engine = scene.engine === null ? null : { name: scene.engine.name, port: scene.engine.port }
  const shift = new URL('./clock-shift.js', import.meta.url).href
  for (let i = engine === null ? 1 : 2; i > 0; i--) {
    const node = new Child('load/clock-node', [JSON.stringify({ ...settings, engine })], ['--import', shift])
    scene.nodes.push(node)
    const port = await node.ask<number>('port', ANSWER)
    for (const [name, crowds] of Object.entries(scene.crowds)) {
      crowds.push(new Crowd({ port, path: `/${name}`, count: clients, lifetime: settings.lifetime }))
    }
  }
}

function expectGoingOn (faults: Faults, when: string, name: string, { open, opened, clients, faults: missing, gaps, silence, asleep }: Reading, heartbeat: number): void {
  faults.expect(open === clients && opened === clients, `${when}, ${open} of ${clients} ${name} streams were open, and ${opened} had begun`)
  faults.expect(missing.length === 0 && Object.keys(gaps).join() === 'none', `${when}, clients of ${name} miss ${missing.join()} ${JSON.stringify(gaps)}`)
  const late = LATEST * heartbeat + asleep + SLACK
  faults.expect(silence <= late, `${when}, a client of ${name} heard nothing for ${Math.round(silence)} ms, and ${Math.round(late)} are the most`)
}

function expectServer (faults: Faults, when: string, figures: Figures, members: number): void {
  const { reasons, present, joined, left, unordered, failed } = figures
  faults.expect(Object.values(reasons).every((count) => count === 0), `${when}, streams ended: ${JSON.stringify(reasons)}`)
  faults.expect(present === members && joined === members && left === 0, `${when}, ${present} of ${members} were present, ${joined} had joined and ${left} left`)
  faults.expect(unordered === 0 && failed === 0, `${when}, ${unordered} positions were out of order, and ${failed} publishes failed`)
}

await verdict({ log: 'memory', clients: 200, seconds: 10, heartbeat: 2_000, age: 3_000 }, async ({ log, clients, seconds, heartbeat, age }, faults) => {
  const scene: Scene = { engine: null, nodes: [], crowds: { feed: [], quiet: [] } }
  const { nodes, crowds } = scene
  const all = [...Object.entries(crowds)]
  try {
    await open(scene, log, clients, { heartbeat, age, lifetime: 120 + 3 * seconds })
    for (const [, some] of all) for (const crowd of some) await crowd.enter()
    const members = clients * nodes.length
    const look = () => Promise.all(nodes.map((node) => node.ask<Figures>('figures', ANSWER)))
    for (const deadline = performance.now() + ANSWER; performance.now() < deadline && (await look()).some(({ present }) => present < members);) await delay(50)
    await nodes[0]?.ask('publish', ANSWER)
    let silence = 0
    for (const [question, jump] of Object.entries(JUMPS)) {
      const when = `${jump / DAY} days off`
      for (const [, some] of all) for (const crowd of some) await crowd.mark()
      for (const node of nodes) await node.ask(question, ANSWER)
      await delay(seconds * 1_000)
      for (const [name, some] of all) {
        for (const crowd of some) {
          const reading = await crowd.read()
          expectGoingOn(faults, when, name, reading, heartbeat)
          silence = Math.max(silence, name === 'quiet' ? reading.silence : 0)
        }
      }
      const figures = await look()
      for (const each of figures) {
        expectServer(faults, when, each, members)
        faults.expect(Math.abs(each.clock - Date.now() - jump) < DAY / 2, `the clock did not jump by ${jump} ms`)
        const expected = Math.min(age, seconds * 1_000) / PUBLISH_EVERY
        if (log === 'memory') faults.expect(each.retained >= LEAST * expected && each.retained <= MOST * expected, `${when}, ${each.retained} events were retained of about ${expected}`)
      }
    }
    return `a day ahead, a day back and right again, ${seconds} s each: ${2 * members} streams on ${nodes.length} node${nodes.length === 1 ? '' : 's'} stayed open and missed nothing, ` +
      `heartbeats of ${heartbeat} ms never later than ${Math.round(silence)} ms, ${members} members stayed present`
  } finally {
    await Promise.all([...nodes, ...all.flatMap(([, some]) => some)].map((one) => one.stop()))
    await scene.engine?.remove()
  }
})
