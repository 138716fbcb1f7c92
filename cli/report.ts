/** What a load has shown: its figures, and how they are told. */
import type { Histogram } from 'node:perf_hooks'
import type { Crowd } from './crowd.ts'
import { inWords } from './reasons.ts'
import { visible } from './visible.ts'

/** Times in ms. */
export interface Percentiles {
  count: number
  min: number
  mean: number
  p50: number
  p90: number
  p99: number
  'p99.9': number
  max: number
}

export interface Figures {
  url: string
  /** How long it was measured, s. */
  seconds: number
  connections: { wanted: number, opened: number, refused: number, lost: number }
  refusals: Record<string, number>
  losses: Record<string, number>
  head: Percentiles | null
  /** While it was measured; `before` came while connections were opened. */
  events: { count: number, perSecond: number, before: number }
  bytes: { count: number, perSecond: number }
  gaps: number
  /** Of the time since events were published. */
  latency: Percentiles | null
  /** Of the time between the first and the last client that got an event. */
  spread: Percentiles | null
  /** How many events came before they were published. */
  early: number
  /** The part of the time in which this process was busy, 0 to 1. */
  busy: number
}

export interface Measured {
  url: URL
  wanted: number
  ms: number
  events: number
  bytes: number
  /** Events that came while connections were opened. */
  before: number
  busy: number
}

/** Above this it is the load that is measured. */
const TOO_BUSY = 0.9

const BAR = 30

export function figuresOf (crowd: Crowd, { url, wanted, ms, events, bytes, before, busy }: Measured): Figures {
  const { lateness } = crowd
  const times = lateness && percentiles(lateness.histogram())
  const rate = (count: number) => ({ count, perSecond: ms > 0 ? round(count / ms * 1_000) : 0 })
  return {
    url: url.href,
    seconds: round(ms / 1_000),
    connections: { wanted, opened: crowd.opened, refused: crowd.refused.total, lost: crowd.lost.total },
    refusals: Object.fromEntries(crowd.refused.entries),
    losses: Object.fromEntries(crowd.lost.entries),
    head: percentiles(crowd.heads),
    events: { ...rate(events), before },
    bytes: rate(bytes),
    gaps: crowd.gaps,
    latency: lateness?.of === 'latency' && times ? times : null,
    spread: lateness?.of === 'spread' && times ? times : null,
    early: lateness?.early ?? 0,
    busy: round(busy)
  }
}

/** @param hasTimes whether events were asked when they were published */
export function describe (figures: Figures, hasTimes: boolean): string {
  const { url, seconds, connections: { wanted, opened, refused, lost }, head, events, bytes, gaps, latency, spread, early, busy } = figures
  const notAsked = wanted - opened - refused
  const rows: Array<[name: string, text: string]> = [
    ['connections', `${whole(opened)} opened, ${whole(refused)} refused, ${whole(lost)} lost${notAsked > 0 ? `, ${whole(notAsked)} not asked for (--ramp gives it more time)` : ''}`],
    ...because('refused', figures.refusals),
    ...because('lost', figures.losses),
    ['answered', head === null ? '-' : `half within ${ms(head.p50)}, 99 % within ${ms(head.p99)}, all within ${ms(head.max)}`],
    ['events', `${whole(events.count)} in ${seconds.toFixed(1)} s, ${whole(events.perSecond)} a second${events.before > 0 ? `; ${whole(events.before)} before, while connections were opened` : ''}`],
    ['bytes', `${size(bytes.count)}, ${size(bytes.perSecond)} a second`],
    ['gaps', whole(gaps)]
  ]
  const lines = [url, '', ...rows.map(([name, text]) => `${name.padEnd(13)}${text}`), '']
  if (latency !== null) lines.push(`latency of ${whole(latency.count)} events, from their publication to a client`, ...spectrum(latency))
  else if (spread !== null) lines.push(`fan-out spread of ${whole(spread.count)} events, from the first client to the last`, ...spectrum(spread))
  else if (events.count > 0) lines.push(hasTimes ? 'no latency: no event has the field of --at, a number' : 'no latency: give --at, or ids to the events')
  if (early > 0) lines.push('', `${whole(early)} came before they were published: the clocks differ`)
  if (busy > TOO_BUSY) lines.push('', `this process was busy ${Math.round(busy * 100)} % of the time: its figures are its own as much as the server's`)
  return `${lines.join('\n').trimEnd()}\n`
}

function percentiles (histogram: Histogram): Percentiles | null {
  if (histogram.count === 0) return null
  const at = (percentile: number) => histogram.percentile(percentile) / 1_000
  return {
    count: histogram.count,
    min: histogram.min / 1_000,
    mean: round(histogram.mean / 1_000),
    p50: at(50),
    p90: at(90),
    p99: at(99),
    'p99.9': at(99.9),
    max: histogram.max / 1_000
  }
}

function because (name: string, counts: Record<string, number>): Array<[name: string, text: string]> {
  return Object.entries(counts).map(([code, count]) => [`  ${name}`, `${whole(count)}: ${visible(inWords(code))}`])
}

function spectrum (times: Percentiles): string[] {
  const rows: Array<[name: string, ms: number]> = [['50 %', times.p50], ['90 %', times.p90], ['99 %', times.p99], ['99.9 %', times['p99.9']], ['all', times.max]]
  return rows.map(([name, time]) => `${name.padStart(9)}  ${ms(time).padStart(9)}  ${'█'.repeat(Math.max(1, Math.round(time / times.max * BAR)))}`)
}

function ms (time: number): string {
  return time < 10_000 ? `${time.toFixed(time < 10 ? 2 : 0)} ms` : `${(time / 1_000).toFixed(1)} s`
}

function whole (number: number): string {
  return Math.round(number).toLocaleString('en-US')
}

function size (bytes: number): string {
  if (bytes < 10_000) return `${whole(bytes)} B`
  return bytes < 10_000_000 ? `${whole(bytes / 1_000)} kB` : `${whole(bytes / 1_000_000)} MB`
}

function round (number: number): number {
  return Math.round(number * 1_000) / 1_000
}
