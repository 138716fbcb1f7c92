/** Publishes numbered points on topics, as long as somebody watches. */
import type { FastifyInstance } from 'fastify'
import type { Meter } from './figures.ts'

/** Where a point stands in its series, which has no other way to tell that it is whole. */
export interface Place {
  /** Counts from 1, without a hole. */
  n: number
  /** Names the life of the process that counts, by its beginning; ms since 1970. */
  run: number
  /** The time that the point is of; ms since 1970. It joins on to the point before, unless nobody watched in between. */
  from: number
  at: number
}

export interface FeedOptions {
  /** From point to point, ms. @default 250 */
  interval?: number
  /**
   * How long it goes on when the last one has left, ms: whoever only lost the connection misses nothing that way.
   * @default 15000
   */
  linger?: number
  /** Calls `task` every `ms` until what it answers is called. @default setInterval */
  every?: (ms: number, task: () => void) => () => void
}

/** @param meters by topic */
export function feed (app: FastifyInstance, meters: Record<string, Meter<object>>, options: FeedOptions = {}): void {
  const { interval = 250, linger = 15_000, every = repeat } = options
  const { topics } = app
  const run = now()
  let n = 0
  let from = run
  let stop: (() => void) | null = null
  let leaving: NodeJS.Timeout | undefined

  const start = () => {
    for (const meter of Object.values(meters)) meter.start()
    from = now()
    stop = every(interval, measure)
  }
  const measure = () => {
    const at = now()
    const place: Place = { n: ++n, run, from, at }
    for (const [topic, meter] of Object.entries(meters)) topics.publish(topic, { ...place, ...meter.read(at - from) }, { event: topic })
    from = at
  }
  const end = () => {
    if (stop === null) return
    stop()
    stop = null
    for (const meter of Object.values(meters)) meter.stop()
  }

  topics.on('active', (topic) => {
    if (!Object.hasOwn(meters, topic)) return
    clearTimeout(leaving)
    if (stop === null) start()
  })
  topics.on('idle', () => {
    const isWatched = Object.keys(meters).some((topic) => topics.subscribers(topic) !== 0)
    if (isWatched || stop === null) return
    clearTimeout(leaving)
    leaving = setTimeout(end, linger)
  })
  app.addHook('onClose', async () => {
    clearTimeout(leaving)
    end()
  })
}

// Monotonic: a clock that is set must not turn a series around.
function now (): number {
  return performance.timeOrigin + performance.now()
}

function repeat (ms: number, task: () => void): () => void {
  const timer = setInterval(task, ms)
  return () => { clearInterval(timer) }
}
