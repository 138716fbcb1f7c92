/** `pastelli bench`: so many connections, and what comes over them in a while. */
import { Crowd } from './crowd.ts'
import { shortage } from './descriptors.ts'
import { sincePublished, spread } from './lateness.ts'
import { INTERRUPTED, notice } from './notice.ts'
import type { Target } from './options.ts'
import { print } from './output.ts'
import { showProgress } from './progress.ts'
import { why } from './reasons.ts'
import { describe, type Figures, figuresOf } from './report.ts'

export interface BenchOptions {
  connections: number
  /** s */
  duration: number
  /** s */
  ramp: number
  /** The names on the way to the field. */
  at?: string[]
  json?: true
}

/** Resolves with the exit code. */
export async function bench (target: Target, options: BenchOptions): Promise<number> {
  const missing = shortage(options.connections)
  if (missing !== undefined) {
    notice(missing)
    return 1
  }
  const interrupted = new AbortController()
  process.once('SIGINT', () => { interrupted.abort() })
  const crowd = new Crowd(target)
  try {
    const figures = await load(crowd, target, options, interrupted.signal)
    await print(options.json ? `${JSON.stringify(figures)}\n` : describe(figures, options.at !== undefined))
  } catch (error) {
    notice(why(error))
    return 1
  }
  if (interrupted.signal.aborted) return INTERRUPTED
  return crowd.opened === 0 ? 1 : 0
}

async function load (crowd: Crowd, { url }: Target, { connections, duration, ramp, at }: BenchOptions, interrupted: AbortSignal): Promise<Figures> {
  const opened = showProgress(process.stderr, 'opening  ', connections, () => [crowd.opened + crowd.refused.total, `${crowd.opened} of ${connections}`])
  await within(ramp, interrupted, (signal) => crowd.open(connections, signal)).finally(opened)
  const { events, bytes } = crowd
  crowd.lateness = at === undefined ? spread() : sincePublished(at)
  const before = performance.eventLoopUtilization()
  const began = performance.now()
  const passed = () => performance.now() - began
  const measured = showProgress(process.stderr, 'measuring', duration, () => [passed() / 1_000, `${rate(crowd.events - events, passed())} events/s`])
  await within(duration, interrupted, (signal) => Promise.race([crowd.empty(), aborted(signal)]))
  const ms = passed()
  const busy = performance.eventLoopUtilization(before).utilization
  measured()
  crowd.close()
  return figuresOf(crowd, { url, wanted: connections, ms, events: crowd.events - events, bytes: crowd.bytes - bytes, before: events, busy })
}

/** Gives the work a signal that aborts after so many seconds, or when it is interrupted. */
async function within (seconds: number, interrupted: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const over = new AbortController()
  const end = () => { over.abort() }
  const timer = setTimeout(end, seconds * 1_000)
  interrupted.addEventListener('abort', end)
  if (interrupted.aborted) end()
  await work(over.signal).finally(() => {
    clearTimeout(timer)
    interrupted.removeEventListener('abort', end)
  })
}

async function aborted (signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise<void>((resolve) => { signal.addEventListener('abort', () => { resolve() }) })
}

function rate (count: number, ms: number): string {
  return Math.round(count / ms * 1_000).toLocaleString('en-US')
}
