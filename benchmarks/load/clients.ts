/** Many clients in one process: `clients.js SETTINGS`, as JSON. */
import { setTimeout as delay } from 'node:timers/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { answer } from '../child.ts'
import { type Counts, countsOf, sumOf } from './counts.ts'
import { type Ends, Source, type SourceSettings } from './source.ts'

export interface ClientsSettings extends SourceSettings {
  count: number
  /** How many enter at once; then the next do. */
  atOnce: number
  /** s */
  lifetime: number
}

/** What they have seen; since the mark where it says so. */
export interface Reading {
  clients: number
  /** Streams that are open now, and that began so far. */
  open: number
  opened: number
  ends: Ends
  events: number
  /** The number of the newest event that everybody has. */
  last: number
  /** How many gaps each was told of, by `reason × number`, and by how many: `none` for those that were told of none. */
  gaps: Counts
  /** Some of what is missing, or came twice, without a word. */
  faults: string[]
  /** How many were told to wait before they come back when their last stream ended, and for how long, ms. */
  told: number
  toldLeast: number
  toldMost: number
  /** The longest that one heard nothing, up to now, ms: since the mark. */
  silence: number
  /** The fewest and the most signs of life that one had since the mark: writes of the server. */
  fewest: number
  most: number
  /** The longest that this process itself did not look, ms: since the mark. */
  asleep: number
}

// Timers of Node's are as fine.
const RESOLUTION = 1

const settings = JSON.parse(process.argv[2] as string) as ClientsSettings
const sources: Source[] = []
const asleep = monitorEventLoopDelay({ resolution: RESOLUTION })
asleep.enable()

async function enter (): Promise<void> {
  while (sources.length < settings.count) {
    const newcomers = Array.from({ length: Math.min(settings.atOnce, settings.count - sources.length) }, () => new Source(settings))
    sources.push(...newcomers)
    await Promise.all(newcomers.map((source) => source.enter()))
    await delay(1)
  }
}

function mark (): void {
  asleep.reset()
  for (const source of sources) source.mark()
}

function read (): Reading {
  const now = performance.now()
  const told = sources.flatMap(({ toldToWait }) => toldToWait ?? [])
  const readers = sources.map(({ reader }) => reader)
  const total = (values: number[]) => values.reduce((sum, value) => sum + value, 0)
  const least = (values: number[]) => values.reduce((least, value) => Math.min(least, value), Infinity)
  const most = (values: number[]) => values.reduce((most, value) => Math.max(most, value), 0)
  return {
    clients: sources.length,
    open: sources.filter(({ isOpen }) => isOpen).length,
    opened: total(sources.map(({ opened }) => opened)),
    ends: {
      proper: total(sources.map(({ ends }) => ends.proper)),
      cut: total(sources.map(({ ends }) => ends.cut)),
      refused: total(sources.map(({ ends }) => ends.refused)),
      statuses: sumOf(...sources.map(({ ends }) => ends.statuses))
    },
    events: total(readers.map(({ events }) => events)),
    last: least(readers.map(({ last }) => last)),
    gaps: countsOf(readers.map(({ gaps, gapReason }) => [gaps === 0 ? 'none' : `${gapReason} × ${gaps}`, 1])),
    faults: readers.flatMap(({ faults }) => faults).slice(0, 5),
    told: told.length,
    toldLeast: least(told),
    toldMost: most(told),
    silence: most(sources.map(({ silence, heardAt, isOpen }) => isOpen ? Math.max(silence, now - heardAt) : silence)),
    fewest: least(readers.map(({ chunks }) => chunks)),
    most: most(readers.map(({ chunks }) => chunks)),
    asleep: asleep.max / 1e6
  }
}

function goOn (): void {
  for (const source of sources) source.goOn()
}

async function leave (): Promise<void> {
  await Promise.all(sources.map((source) => source.leave()))
}

answer({ enter, mark, read, goOn, leave }, settings.lifetime * 1_000)
