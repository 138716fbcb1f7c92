/** How late events come: by the time at which they say that they were published, or else behind the first client that got them. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

export interface Lateness {
  readonly of: 'latency' | 'spread'
  /** A client has just got this event. */
  note: (id: string | undefined, data: string) => void
  /** All that was noted, µs. */
  histogram: () => RecordableHistogram
  /** How many came before they were published. */
  readonly early: number
}

// How many events are remembered: more than are under way to clients at once.
const REMEMBERED = 10_000

/** @param path to the field that has the time, ms since 1970 */
export function sincePublished (path: string[]): Lateness {
  const histogram = createHistogram()
  // The same event comes to one client after the other.
  let last: { data: string, at: number | undefined } | undefined
  let early = 0
  return {
    of: 'latency',
    get early () { return early },
    histogram: () => histogram,
    note (_id, data) {
      if (last?.data !== data) last = { data, at: timeAt(path, data) }
      if (last.at === undefined) return
      const ms = now() - last.at
      if (ms < 0) early++
      record(histogram, ms)
    }
  }
}

/** The time between the first and the last client that got the same id: one value for each id that two have got. */
export function spread (): Lateness {
  const histogram = createHistogram()
  const seen = new Map<string, { first: number, last: number }>()
  const settle = (id: string) => {
    const { first, last } = seen.get(id) as { first: number, last: number }
    if (last > first) record(histogram, last - first)
    seen.delete(id)
  }
  return {
    of: 'spread',
    early: 0,
    histogram () {
      for (const id of seen.keys()) settle(id)
      return histogram
    },
    note (id) {
      if (!id) return
      const at = performance.now()
      const times = seen.get(id)
      if (times !== undefined) times.last = at
      else seen.set(id, { first: at, last: at })
      if (seen.size > REMEMBERED) settle(seen.keys().next().value as string)
    }
  }
}

function timeAt (path: string[], data: string): number | undefined {
  try {
    let value = JSON.parse(data)
    for (const name of path) value = value?.[name]
    return typeof value === 'number' ? value : undefined
  } catch {
    return undefined
  }
}

// A finer Date.now().
function now (): number {
  return performance.timeOrigin + performance.now()
}

function record (histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1_000)))
}
