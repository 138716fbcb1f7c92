/** The numbers: whichever node is the first publishes the next one, under a key that lets nobody else do so. */
import type { FastifyInstance } from 'fastify'
import type { Log } from 'pastelli/redis'

export interface Beat {
  /** Counts from 1, without a hole, over all nodes and their lives. */
  n: number
  /** The name of the node that published it. */
  by: string
}

export const BEATS = 'beats'

// From one number to the next, ms. Each node waits a little more, by chance: so it is not always the same one.
const PAUSE = 350
const CHANCE = 150

/** As long as the app lives. */
export async function beat (app: FastifyInstance, log: Log, name: string): Promise<void> {
  let last = 0
  let timer: NodeJS.Timeout | undefined
  let isOver = false

  const wait = () => {
    clearTimeout(timer)
    if (!isOver) timer = setTimeout(() => { void publish(last + 1) }, PAUSE + Math.random() * CHANCE)
  }
  const reached = (n: number) => {
    last = Math.max(last, n)
    wait()
  }
  const publish = async (n: number) => {
    try {
      await app.topics.publish(BEATS, { n, by: name }, { event: 'beat', key: String(n) })
      reached(n)   // by this node, or by another one before it
    } catch {
      wait()       // Redis is away: the key makes the next try harmless
    }
  }

  const stop = log.follow((record) => { if (record.topic === BEATS) reached((record.payload as Beat).n) })
  app.addHook('onClose', async () => {
    isOver = true
    clearTimeout(timer)
    await stop()
  })
  const before = await log.read([BEATS], log.earliest([BEATS]), Infinity)
  reached((before?.records.at(-1)?.payload as Beat | undefined)?.n ?? 0)
}
