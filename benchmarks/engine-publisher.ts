/** A worker that publishes as fast as the engine takes it: `engine-publisher.js ENGINE PORT LIFETIME`, in s. */
import { publisher } from '../logs/publisher.ts'
import { answer } from './child.ts'
import { engineOf, reach } from './engines.ts'
import { numbered } from './numbered.ts'

// So much is under way at once: the next batches are there when one is taken.
const BURST = 250
const UNDER_WAY = 4

const [engine = '', port = 0, lifetime = 0] = process.argv.slice(2)
const { log } = await reach(engineOf(engine), Number(port))
const { publish } = publisher(log)
let published = 0
let isPublishing = false
let began = 0

async function flood (): Promise<void> {
  if (!isPublishing) return
  await Promise.all(Array.from({ length: BURST }, () => publish('feed', numbered(published++))))
  void flood()
}

answer({
  start: () => {
    isPublishing = true
    began = performance.now()
    for (let i = 0; i < UNDER_WAY; i++) void flood()
  },
  stop: () => {
    isPublishing = false
    return { published, seconds: (performance.now() - began) / 1_000 }
  }
}, Number(lifetime) * 1_000)
