/** The link of hundreds of clients is cut, and nobody tells the server: does each of their connections end in time, once, with its reason? */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { enter, sure } from '../chaos/namespaces.ts'
import { seeded } from '../chaos/random.ts'
import { Child } from '../child.ts'
import type { Remains } from '../remains.ts'
import { type Faults, verdict } from '../verdict.ts'
import type { HalfOpenClientsSettings, Reading } from './half-open-clients.ts'
import type { HalfOpenSettings, Tally } from './half-open-server.ts'

const ANSWER = 60_000

// What a busy machine adds, ms.
const SLACK = 2_000

// So long the kernel takes at most what nobody reads, at the pace of the busy ones, ms.
const BUFFERED = 5_000

// What the heap may grow by: compiled code, feedback and caches settle at about this much, however many connections there were.
const HEAP_SLACK = 2 * 2 ** 20

interface Ending { reason: string, bound: number }

/** A process in a network of its own, with one link to this one. */
class Island {
  readonly child: Child
  readonly #name: string
  readonly #net: number

  /** @param net of its addresses, 10.77.`net`.x */
  constructor (name: string, net: number, settings: Omit<HalfOpenClientsSettings, 'host'>) {
    this.#name = name
    this.#net = net
    this.child = new Child('load/half-open-clients', [JSON.stringify({ ...settings, host: `10.77.${net}.1` })], [], ['unshare', '--net'])
  }

  /** Resolves when it has its link. */
  async join (): Promise<void> {
    await this.child.ask('ready', ANSWER)
    sure('ip', 'link', 'add', this.#name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(this.child.pid))
    sure('ip', 'address', 'add', `10.77.${this.#net}.1/24`, 'dev', this.#name)
    sure('ip', 'link', 'set', this.#name, 'up')
    this.#inside('ip', 'address', 'add', `10.77.${this.#net}.2/24`, 'dev', 'eth0')
    this.#inside('ip', 'link', 'set', 'eth0', 'up')
  }

  cut (): void {
    this.#inside('ip', 'link', 'set', 'eth0', 'down')
  }

  #inside (...command: string[]): void {
    sure('nsenter', '--target', String(this.child.pid), '--net', ...command)
  }
}

async function until (condition: () => Promise<boolean>, ms: number): Promise<boolean> {
  for (const deadline = performance.now() + ms; performance.now() < deadline;) {
    if (await condition()) return true
    await delay(50)
  }
  return await condition()
}

function closedOf ({ closed }: Tally): number {
  return Object.values(closed).reduce((sum, count) => sum + count, 0)
}

function expectEndings (faults: Faults, tallies: Record<string, Tally>, endings: Record<string, Ending>): void {
  for (const [kind, { reason, bound }] of Object.entries(endings)) {
    const { opened, closed, wrong, last } = tallies[`cut ${kind}`] as Tally
    faults.expect(isDeepStrictEqual(closed, { [reason]: opened }) && wrong === 0, `of ${opened} cut ${kind} there closed ${JSON.stringify(closed)}, ${wrong} not once`)
    faults.expect(last <= bound, `the last cut ${kind} closed after ${Math.round(last)} ms, not ${bound}`)
  }
}

function expectHealthy (faults: Faults, readings: Record<string, Reading>, tallies: Record<string, Tally>, last: number): void {
  for (const [kind, reading] of Object.entries(readings)) {
    const { closed } = tallies[`healthy ${kind}`] as Tally
    const reasons = Object.keys(closed).filter((reason) => !kind.endsWith('/aged') || reason !== 'expired')
    faults.expect(reasons.length === 0, `healthy ${kind} closed: ${JSON.stringify(closed)}`)
    faults.expect(reading.faults.length === 0, `healthy ${kind} miss ${reading.faults.join()}`)
    faults.expect(reading.last >= last, `a healthy ${kind} has got to ${reading.last} only`)
  }
}

function expectNothing (faults: Faults, before: readonly Remains[], after: readonly Remains[]): void {
  for (const [i, protocol] of ['HTTP/1.1', 'HTTP/2'].entries()) {
    const [{ listeners }, { registry, sockets, ...left }] = [before[i] as Remains, after[i] as Remains]
    faults.expect(registry === 0 && sockets === 0, `over ${protocol} ${registry} connections and ${sockets} sockets are left`)
    faults.expect(isDeepStrictEqual(left.listeners, listeners), `listeners ${JSON.stringify(listeners)} → ${JSON.stringify(left.listeners)}`)
  }
  const [{ resources }, { resources: left }] = [before[1] as Remains, after[1] as Remains]
  faults.expect(isDeepStrictEqual(left, resources), `timers and handles ${JSON.stringify(resources)} → ${JSON.stringify(left)}`)
  faults.expect(growthOf(before, after) <= HEAP_SLACK, 'the heap grew')
}

function growthOf (before: readonly Remains[], after: readonly Remains[]): number {
  return (after[1] as Remains).heap - (before[1] as Remains).heap
}

await enter('net')
await verdict({ clients: 500, healthy: 100, age: 30_000, heartbeat: 5_000, timeout: 10_000, seed: 1 }, async ({ clients, healthy, age, heartbeat, timeout, seed }, faults) => {
  const lifetime = 120 + 2 * age / 1_000
  const settings: HalfOpenSettings = { age, heartbeat, timeout, doomed: '10.77.2.', lifetime }
  // What the clock looks at, and when: lib/connection/clock.ts.
  const period = Math.min(1_000, heartbeat / 4, age / 16, timeout / 4)
  const endings: Record<string, Ending> = {
    'http1 /aged': { reason: 'expired', bound: age + 2 * period + SLACK },
    'http1 /busy': { reason: 'timeout', bound: timeout + 2 * period + BUFFERED + SLACK },
    'http2 /busy': { reason: 'timeout', bound: timeout + 2 * period + BUFFERED + SLACK },
    'http2 /aged': { reason: 'timeout', bound: 2 * heartbeat + 3 * period + SLACK },
    'websocket /socket': { reason: 'timeout', bound: 2 * heartbeat + 3 * period + SLACK }
  }
  sure('ip', 'link', 'set', 'lo', 'up')
  const server = new Child('load/half-open-server', [JSON.stringify(settings)], ['--expose-gc'])
  const children = [server]
  try {
    const ports = await server.ask<number[]>('ports', ANSWER)
    const [well, doomed] = [new Island('well', 1, { ports, count: healthy, lifetime }), new Island('doomed', 2, { ports, count: clients, lifetime })]
    const islands = [well, doomed]
    children.push(...islands.map(({ child }) => child))
    for (const island of islands) await island.join()
    const each = async (question: string) => { for (const { child } of islands) await child.ask(question, ANSWER) }
    await server.ask('publish', ANSWER)
    await each('enter')
    await each('leave')
    const before = await server.ask<Remains[]>('remains', ANSWER)
    await server.ask('forget', ANSWER)
    await server.ask('publish', ANSWER)
    await each('enter')
    await delay(seeded(seed)(1, 1.1) * 1_000)   // anywhere between two beats

    const all = await server.ask<number>('open', ANSWER)
    doomed.cut()
    await server.ask('mark', ANSWER)
    const look = () => server.ask<Record<string, Tally>>('tallies', ANSWER)
    const isOver = async () => Object.entries(await look()).every(([name, tally]) => !name.startsWith('cut') || closedOf(tally) === tally.opened)
    const longest = Math.max(...Object.values(endings).map(({ bound }) => bound))
    faults.expect(await until(isOver, longest), 'not all that were cut have closed')
    const tallies = await look()
    const read = () => well.child.ask<Record<string, Reading>>('read', ANSWER)
    const newest = Math.max(...Object.values(await read()).map(({ last }) => last))
    await until(async () => Object.values(await read()).every(({ last }) => last >= newest), 5_000)
    const readings = await read()
    await well.child.ask('leave', ANSWER)
    const after = await server.ask<Remains[]>('remains', ANSWER)

    faults.expect(all === clients + healthy, `${all} streams were open`)
    expectEndings(faults, tallies, endings)
    expectHealthy(faults, readings, tallies, newest)
    expectNothing(faults, before, after)
    const ends = Object.entries(endings).map(([kind]) => {
      const { opened, closed, last } = tallies[`cut ${kind}`] as Tally
      return `${opened} ${kind} ${Object.keys(closed).join()} by ${(last / 1_000).toFixed(1)} s`
    })
    return `${clients} cut with maxAge ${age}, heartbeat ${heartbeat} and writeTimeout ${timeout} ms: ${ends.join(', ')}; ${healthy} others missed nothing; heap ${(growthOf(before, after) / 2 ** 20).toFixed(2)} MiB more than before`
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
})
