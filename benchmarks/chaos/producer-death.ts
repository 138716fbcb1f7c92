/** SIGKILL of the node that produces a resumable stream: do its clients get all that there is, and learn how it ended? */
import { numbersOf, wordsOf } from './history.ts'
import { Scene } from './scene.ts'
import { chaos } from './verdict.ts'

// So long a dead node is taken for alive, and then its last words are waited for, ms.
const TOLD = 20_000

await chaos({ rounds: 1, count: 600 }, async ({ rounds, count, ...options }, faults) => {
  const told: number[] = []
  for (let round = 0; round < rounds; round++) {
    const scene = await Scene.open({ ...options, seed: options.seed + round, lifetime: 120, node: { count, pause: 1_000 / options.rate }, client: { path: '/answer' } })
    try {
      await scene.pause(2_000, 6_000)
      const produce = await Promise.all(scene.nodes.map((node) => node.ask<boolean>('produces')))
      faults.expect(produce.filter(Boolean).length === 1, `it is produced by ${produce.join()}`)
      await scene.nodes[produce.indexOf(true)]?.kill()
      const killed = performance.now()
      const isTold = await scene.until(async () => (await scene.reading()).closed === options.clients, TOLD)
      told.push(performance.now() - killed)
      const reading = await scene.reading()
      const seen = await scene.seen()
      faults.expect(isTold, `${JSON.stringify(reading)} ${JSON.stringify(seen).slice(0, 300)}`)
      faults.expect(new Set(seen.map(({ steps }) => JSON.stringify(steps))).size === 1, 'they have seen different things')
      for (const { steps } of seen) faults.expect(numbersOf(steps).every((n, i) => n === i) && wordsOf(steps).join() === 'error,closed', `seen: ${JSON.stringify(steps)}`)
    } finally {
      await scene.close()
    }
  }
  return `${rounds} producers killed, told after ${told.map(Math.round).join(', ')} ms`
})
