/**
 * Hundreds of clients that read nothing, or a byte a second, on a heavy topic: what they cost the server, and the clients of
 * another topic. Without them, with them, with them told of a gap instead of cut, and without again. Prints a line for each run
 * if there are several, and one verdict, PASS or FAIL, and exits with 0 or 1. What is held against runs without them is left out if there are none.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './child.ts'
import { Machine } from './machine.ts'
import type { Reading as Crowd } from './readers.ts'
import type { Kind, Reading as SlowOnes } from './slow-readers-clients.ts'
import type { Tally } from './slow-readers-server.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '9' },
    light: { type: 'string', default: '1000' },
    heavy: { type: 'string', default: '30' },
    tries: { type: 'string', default: '1' },
    runs: { type: 'string', default: 'without,disconnect,skip,without' }
  }
})
const seconds = Number(values.seconds)

const LIFETIME = seconds + 60
const WARM_UP = 1_500
// The log holds 4 MiB of 0.7 MB/s: six seconds. Who reads on or comes back after three has missed nothing.
const BACK_AFTER = 3_000
const PATIENCE = 10_000
const ANSWER = 15_000
// Cores. With more taken by others a run is tried again, if it may be.
const QUIET = 0.15

// 60 KiB for each slow one: less than one write, whoever waits for whatever. What the heap grows by without them is not theirs.
const RSS_GROWTH = 20 * 2 ** 20
const LATENCY_RATIO = 1.5

// Two writes of 64 KiB, each with the event that passes it, and their framing.
const MAX_QUEUED = 2 * (64 * 1024 + 10_000 + 100)

type Slow = Record<Kind, SlowOnes>

interface Run {
  /** What becomes of those who are too slow; null: there are none. */
  overflow: 'disconnect' | 'skip' | null
  light: Crowd
  heavy: Crowd
  slow: Slow | null
  server: Tally
  /** CPU of the server, %. */
  cpu: number
  /** Cores that were taken by other programs. */
  others: number
}

async function run (overflow: Run['overflow']): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'slow-readers-'))
  const socket = join(folder, 'socket')
  const children: Child[] = []
  const start = (program: string, ...args: string[]) => {
    const child = new Child(program, [...args, String(LIFETIME)])
    children.push(child)
    return child
  }
  try {
    const server = start('slow-readers-server', overflow ?? 'disconnect', socket)
    const port = String(await server.ask<number>('port', ANSWER))
    const light = start('readers', port, '/light', values.light)
    const heavy = start('readers', port, '/heavy', values.heavy)
    const slow = start('slow-readers-clients', socket)
    await Promise.all([light.ask('open', ANSWER), heavy.ask('open', ANSWER)])
    await server.ask('publish', ANSWER)
    // As many come and leave before it counts: what the heap grows by for them is not for want of reading.
    const passers = start('readers', port, '/light', '340')
    await passers.ask('open', ANSWER)
    await passers.stop()
    await delay(WARM_UP)
    await Promise.all([light.ask('mark', ANSWER), server.ask('mark', ANSWER)])
    const machine = new Machine([server, light, heavy, slow].map(({ pid }) => pid))
    const end = performance.now() + seconds * 1_000
    if (overflow !== null) await stall(slow)
    await delay(end - performance.now())
    const { others } = machine
    const { p50, p99, max } = await light.ask<Crowd>('read', ANSWER)
    const { cpu } = await server.ask<Tally>('read', ANSWER)
    if (overflow === 'disconnect') await settle<Tally>(server, ({ slow }) => slow === 0)
    const slowOnes = overflow === null ? null : await wake(slow)
    await server.ask('stop', ANSWER)
    const tally = await server.ask<Tally>('read', ANSWER)
    return {
      overflow,
      light: { ...await settle<Crowd>(light, ({ last }) => last === tally.light), p50, p99, max },
      heavy: await settle<Crowd>(heavy, ({ last }) => last === tally.heavy),
      slow: slowOnes,
      server: tally,
      cpu: cpu / seconds / 10,
      others
    }
  } finally {
    await Promise.all(children.map((child) => child.stop()))
    await rm(folder, { recursive: true })
  }
}

/** The first run that was not disturbed, or the one that was least. */
async function quietestRun (overflow: Run['overflow']): Promise<Run> {
  let best = await run(overflow)
  for (let tries = 1; tries < Number(values.tries) && best.others > QUIET; tries++) {
    const next = await run(overflow)
    if (next.others < best.others) best = next
  }
  return best
}

async function stall (slow: Child): Promise<void> {
  await slow.ask('join', ANSWER)
  await delay(BACK_AFTER)
  await slow.ask('back', ANSWER)
}

/** What the slow ones have missed, when they have read again. */
async function wake (slow: Child): Promise<Slow> {
  await slow.ask('wake', ANSWER)
  return await settle<Slow>(slow, (slow) => Object.values(slow).every(({ count, whole }) => whole === count))
}

/** What this one reads as soon as it is settled, or when it is too late. */
async function settle<Reading> (child: Child, isSettled: (reading: Reading) => boolean): Promise<Reading> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const reading = await child.ask<Reading>('read', ANSWER)
    if (isSettled(reading) || performance.now() > deadline) return reading
    await delay(50)
  }
}

type Check = [isFault: boolean, words: string]

function healthFaults ({ light, heavy, server }: Run): Check[] {
  return Object.entries({ light, heavy }).flatMap(([topic, { ended, gaps, faults, last }]): Check[] => [
    [ended !== 0, `${ended} healthy connections on ${topic} ended`],
    [gaps !== 0 || faults.length !== 0, `${gaps} gaps on ${topic}, and missing ${faults}`],
    [last !== server[topic as 'light' | 'heavy'], `on ${topic} somebody has ${last} of ${server[topic as 'light' | 'heavy']}`]
  ])
}

function slowFaults ({ overflow, server, slow }: Run, growthWithout: number): Check[] {
  if (slow === null) return []
  const { stalled, trickling, waking, leaving } = slow
  const late = stalled.count + trickling.count
  const cut = server.reasons['overflow'] ?? 0
  return [
    ...Object.entries(slow).flatMap(([kind, { count, whole, faults, misplaced }]): Check[] => [
      [faults.length !== 0, `${kind} ones miss ${faults}`],
      [whole !== count, `${count - whole} ${kind} ones do not get on`],
      [misplaced !== 0, `${misplaced} ${kind} ones were told of a gap that begins elsewhere`]
    ]),
    [cut !== (overflow === 'disconnect' ? late : 0), `${cut} of ${late} cut with overflow`],
    [waking.gapped + leaving.gapped !== 0, `${waking.gapped} that read on and ${leaving.gapped} that came back in time were told of a gap`],
    [stalled.gapped + trickling.gapped !== late, `${stalled.gapped + trickling.gapped} of ${late} were told of a gap`],
    [stalled.gaps + trickling.gaps > late, `${stalled.gaps + trickling.gaps} gaps were told to ${late}`],
    [server.queuedOne > MAX_QUEUED, `${server.queuedOne} bytes were queued for one`],
    [growthOf(server) - growthWithout > RSS_GROWTH, 'the memory grew']
  ]
}

function growthOf ({ rss, peak }: Tally): number {
  return peak - rss
}

function line ({ light, heavy, slow, server, cpu, others }: Run): string {
  const figures = [
    `latency p50 ${light.p50.toFixed(1)}, p99 ${light.p99.toFixed(1)}, max ${light.max.toFixed(1)} ms`,
    `CPU ${cpu.toFixed(0)} %`,
    `RSS ${mib(server.rss)} + ${mib(growthOf(server))} MiB`,
    `${light.events} light and ${heavy.events} heavy events read`,
    `${others.toFixed(2)} cores taken by others`
  ]
  if (slow === null) return figures.join('; ')
  const { stalled, trickling, waking, leaving } = slow
  return [
    ...figures,
    `${server.reasons['overflow'] ?? 0} cut with overflow`,
    `told of a gap: ${stalled.gapped} stalled, ${trickling.gapped} trickling, ${waking.gapped} waking, ${leaving.gapped} leaving`,
    `queued at most ${mib(server.queued)} MiB, for one ${(server.queuedOne / 1024).toFixed(0)} KiB`
  ].join('; ')
}

function overflowOf (name: string): Run['overflow'] {
  if (name !== 'without' && name !== 'disconnect' && name !== 'skip') throw new Error(`--runs has ${name}, which is none of without, disconnect, skip`)
  return name === 'without' ? null : name
}

function mib (bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

function mean (numbers: number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length
}

const wanted = values.runs.split(',').map(overflowOf)
const runs: Run[] = []
for (const overflow of wanted) {
  const done = await quietestRun(overflow)
  runs.push(done)
  if (wanted.length > 1) console.log(`${(overflow ?? 'without').padEnd(10)} ${line(done)}`)
}
const [without, withSlow] = [runs.filter(({ slow }) => slow === null), runs.filter(({ slow }) => slow !== null)]
const isCompared = without.length !== 0
const p99 = mean(without.map(({ light }) => light.p99))
const growth = mean(without.map(({ server }) => growthOf(server)))   // NaN, which nothing exceeds, where there is none
const ratios = withSlow.map(({ light }) => light.p99 / p99)
const faults = runs.flatMap((run) => [...healthFaults(run), ...slowFaults(run, growth)]
  .filter(([isFault]) => isFault)
  .map(([, words]) => `${run.overflow ?? 'without'}: ${words}`))
if (isCompared && Math.max(...ratios) > LATENCY_RATIO) faults.push('the healthy wait longer')
const compared = [
  `p99 of the healthy ${ratios.map((ratio) => ratio.toFixed(2)).join(' and ')} × that without slow ones`,
  `memory ${withSlow.map(({ server }) => mib(growthOf(server) - growth)).join(' and ')} MiB above it`
]
const shown = isCompared ? compared : runs.map(line)
console.log(`${faults.length === 0 ? 'PASS' : `FAIL (${faults.join('; ')})`}: ${shown.join('; ')}`)
process.exitCode = faults.length === 0 ? 0 : 1
