/** SIGKILL of the engine while events are published: is all that it took there again, or, without a disk, is everybody told of the gap? */
import type { Faults } from '../verdict.ts'
import { chaos, expectAll, expectSame, type Options } from './verdict.ts'
import { numbersOf, type Step, wordsOf } from './history.ts'
import { Scene } from './scene.ts'

type Own = Options<'rounds'>

async function kills ({ rounds, ...options }: Own, faults: Faults, keeps: boolean): Promise<string> {
  const scene = await Scene.open({ ...options, keeps, lifetime: 120 + rounds * 30 })
  try {
    await scene.publish()
    let gone = 0
    for (let round = 0; round < rounds; round++) {
      await scene.pause(500, 2_000)
      const began = performance.now()
      await scene.engine.kill()
      await scene.pause(50, 3_000)
      await scene.engine.start()
      gone = Math.max(gone, performance.now() - began)
      await isBack(scene, faults)
    }
    const { opened } = await scene.reading()
    const outcome = await scene.silence()
    faults.expect(keeps ? await scene.reachedAll(outcome) : await scene.reached(outcome.published - 1), 'not all got to the end')
    faults.expect(opened === options.clients, `${opened - options.clients} clients were cut`)
    const seen = await scene.seen()
    if (keeps) {
      expectAll(faults, seen, outcome)
      expectSame(faults, seen)
    } else {
      for (const { steps, clients } of seen) expectGaps(faults, steps, clients, rounds)
    }
    const failed = Object.values(outcome.failures).reduce((sum, count) => sum + count, 0)
    return `${keeps ? 'with' : 'without'} a disk ${rounds} kills, gone for up to ${Math.round(gone)} ms, ${outcome.published} events, ${failed} attempts failed, the slowest after ${Math.round(outcome.slowest)} ms`
  } finally {
    await scene.close()
  }
}

// Something that is published from now on has come to everybody.
async function isBack (scene: Scene, faults: Faults): Promise<void> {
  const { published } = await scene.outcome()
  faults.expect(await scene.reached(published), 'not all went on after a kill')
}

// What came between one gap and the next is a run of what was published, and behind what came before.
function expectGaps (faults: Faults, steps: readonly Step[], clients: number, rounds: number): void {
  const words = wordsOf(steps)
  faults.expect(words.length === rounds && words.every((word) => word === 'gap foreign'), `${clients} clients were told "${words.join()}" in ${rounds} kills`)
  const isContiguous = steps.every((step, i) => typeof step === 'string' || typeof steps[i - 1] !== 'object')
  const numbers = numbersOf(steps)
  const isAscending = numbers.every((n, i) => i === 0 || n > (numbers[i - 1] as number))
  faults.expect(isContiguous && isAscending, `${clients} clients miss something that they were not told: ${JSON.stringify(steps).slice(0, 300)}`)
}

await chaos({ rounds: 5 }, async (options: Own, faults) => {
  return `${await kills(options, faults, true)}; ${await kills(options, faults, false)}`
})
