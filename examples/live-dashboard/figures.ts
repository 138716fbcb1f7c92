/** This process's figures, and how they are measured. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { Registry } from 'pastelli'

export interface ProcessFigures {
  /** How much of one core it used, %. */
  cpu: number
  /** Its memory, and how much of that are JavaScript's objects; bytes. */
  rss: number
  heap: number
  /** How late timers were, as a rule and at worst; ms. */
  delay: number
  worst: number
}

export interface ConnectionsFigures {
  open: number
  /** Events sent in a second, on all connections. */
  events: number
}

/** What measures: each reading is of the time since the one before. */
export interface Meter<Figures extends object> {
  start: () => void
  /** @param elapsed ms since `start` or the reading before */
  read: (elapsed: number) => Figures
  stop: () => void
}

// Between two looks at the event loop, ms. The histograms count them as delay.
const RESOLUTION = 10

export function processMeter (): Meter<ProcessFigures> {
  let cpu = process.cpuUsage()
  // A histogram is blind from a reset to its next look, and a block may just be there. So there are two, which are reset
  // by turns: each covers two periods, and what one misses is in the other.
  let fresh = monitorEventLoopDelay({ resolution: RESOLUTION })
  let full = monitorEventLoopDelay({ resolution: RESOLUTION })

  return {
    start () {
      cpu = process.cpuUsage()
      for (const histogram of [fresh, full]) {
        histogram.reset()
        histogram.enable()
      }
    },
    read (elapsed) {
      const before = cpu
      cpu = process.cpuUsage()
      const used = cpu.user + cpu.system - before.user - before.system   // microseconds
      const { rss, heapUsed: heap } = process.memoryUsage()
      const figures = { cpu: used / 10 / elapsed, rss, heap, ...delays(full) }
      full.reset();
      [fresh, full] = [full, fresh]
      return figures
    },
    stop () {
      for (const histogram of [fresh, full]) histogram.disable()
    }
  }
}

export function connectionsMeter (connections: Registry): Meter<ConnectionsFigures> {
  let closed = 0
  let before = 0
  connections.on('close', ({ events }) => { closed += events })
  const sent = () => [...connections].reduce((sum, { events }) => sum + events, closed)

  return {
    start () {
      before = sent()
    },
    read (elapsed) {
      const now = sent()
      const events = (now - before) / elapsed * 1_000
      before = now
      return { open: connections.size, events }
    },
    stop () {}
  }
}

function delays (histogram: IntervalHistogram): Pick<ProcessFigures, 'delay' | 'worst'> {
  const [delay, worst] = [histogram.percentile(50), histogram.max].map((ns) => Math.max(0, ns / 1e6 - RESOLUTION)) as [number, number]
  return { delay, worst }
}
