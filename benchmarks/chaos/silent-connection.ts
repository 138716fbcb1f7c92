/** A node's connections to the engine die in silence: is that noticed in its time, is nothing lost, and can the node publish again? */
import { type Node, Scene } from './scene.ts'
import { chaos, expectAll, expectSame } from './verdict.ts'

// logs/tail.ts waits for 5 s, and 3 s more; then it connects anew.
const NOTICED = 8_000
const SLACK = 1_500

const FAILED = 'the log can not be followed'
const FOLLOWED = 'the log is followed again'
const UNPUBLISHED = 'what was published is not in the log'
const PUBLISHED = 'what is published is in the log again'

await chaos({ rounds: 6 }, async ({ rounds, ...options }, faults) => {
  const scene = await Scene.open({ ...options, lifetime: 120 + rounds * 40, isAllByProxy: true, node: { every: 100 } })
  try {
    await scene.publish()
    const noticed: number[] = []
    for (let round = 0; round < rounds; round++) {
      await scene.pause(500, 6_000)   // anywhere within a wait of the tail
      const node = scene.nodes[Math.floor(scene.random(0, scene.nodes.length))] as Node
      const before = (await node.lines(FAILED)).length
      const began = Date.now()
      node.proxy.silence()
      faults.expect(await scene.until(async () => (await node.lines(FAILED)).length > before), 'it was not noticed')
      noticed.push(((await node.lines(FAILED)).at(-1)?.at ?? Infinity) - began)
      faults.expect(await scene.until(async () => (await node.lines(FOLLOWED)).length > before), 'the node did not come back')
      faults.expect(await scene.until(async () => (await node.lines(UNPUBLISHED)).length <= (await node.lines(PUBLISHED)).length), 'the node can not publish')
    }
    const { opened } = await scene.reading()
    const outcome = await scene.silence()
    faults.expect(await scene.reachedAll(outcome), 'not all got to the end')
    faults.expect(opened === options.clients, `${opened - options.clients} clients were cut`)
    faults.expect(noticed.every((ms) => ms <= NOTICED + SLACK), `it was noticed after ${noticed.join()} ms`)
    const seen = await scene.seen()
    expectAll(faults, seen, outcome)
    expectSame(faults, seen)
    return `${rounds} nodes whose connections died, noticed after ${noticed.join(', ')} ms; ${outcome.published} events for each`
  } finally {
    await scene.close()
  }
})
