/** SIGKILL of one node after the other while events are published: do all clients go on elsewhere, with nothing missing and nothing twice? */
import { chaos, expectAll, expectSame } from './verdict.ts'
import { type Node, Scene } from './scene.ts'

await chaos({ rounds: 20 }, async ({ rounds, ...options }, faults) => {
  const scene = await Scene.open({ ...options, lifetime: 120 + rounds * 20 })
  try {
    await scene.publish()
    for (let round = 0; round < rounds; round++) {
      await scene.pause(300, 2_500)
      const node = scene.nodes[Math.floor(scene.random(0, scene.nodes.length))] as Node
      await node.kill()
      await scene.pause(100, 1_500)
      await node.restart()
    }
    const { opened } = await scene.reading()
    const outcome = await scene.silence()
    faults.expect(await scene.reachedAll(outcome), 'not all got to the end')
    faults.expect(outcome.acknowledged.length === 1 && Object.keys(outcome.failures).length === 0, `publishes failed: ${JSON.stringify(outcome.failures)}`)
    const seen = await scene.seen()
    expectAll(faults, seen, outcome)
    expectSame(faults, seen)
    faults.expect(seen[0]?.steps.length === 1, 'what they have seen is not contiguous')
    return `${rounds} kills, ${options.clients} clients that came back ${opened - options.clients} times, ${outcome.published} events for each`
  } finally {
    await scene.close()
  }
})
