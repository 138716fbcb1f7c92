/** The engine is gone for long: are failures clear, and does nothing spin, hammer at its door or flood a log? */
import { setTimeout as delay } from 'node:timers/promises'
import { Scene } from './scene.ts'
import { chaos, expectAll, expectSame } from './verdict.ts'

// Of one node: attempts in the first ten seconds, and in each ten more; lines of its log; CPU time, as a share of a core.
const ATTEMPTS_FIRST = 15
const ATTEMPTS_THEN = 5
const LINES = 10
const CPU = 0.1

// A node tries again after up to 5 s, and a client of NATS after up to 2 s more: when all are live again, ms.
const BACK = 10_000

await chaos({ seconds: 60 }, async ({ seconds, ...options }, faults) => {
  const scene = await Scene.open({ ...options, lifetime: 120 + seconds, node: { every: 100 } })
  try {
    await scene.publish()
    await scene.pause(1_000, 3_000)
    await scene.engine.kill()
    const killed = performance.now()
    await delay(1_000)   // what was under way has come to its end
    const before = await Promise.all(scene.nodes.map((node) => node.lines()))
    await Promise.all(scene.nodes.map((node) => node.ask('mark')))
    await delay(seconds * 1_000)
    const cpu = await Promise.all(scene.nodes.map((node) => node.ask<number>('cpu')))
    const after = await Promise.all(scene.nodes.map((node) => node.lines()))
    const attempts = scene.nodes.map(({ proxy }) => proxy.arrivals.filter((at) => at > killed))
    const away = await scene.reading()
    await scene.engine.start()
    const started = performance.now()
    const { published } = await scene.outcome()
    const isBack = await scene.reached(published)
    const back = performance.now() - started
    const outcome = await scene.silence()
    faults.expect(isBack && await scene.reachedAll(outcome), 'not all went on')
    faults.expect(back <= BACK, `all were live ${Math.round(back)} ms after it came back`)
    faults.expect(away.open === options.clients && away.opened === options.clients, `${away.open} clients were open, ${away.opened - options.clients} had come back`)
    faults.expect(Object.keys(outcome.failures).every((failure) => failure.startsWith('PST_ERR_LOG')), `publishes failed with ${Object.keys(outcome.failures).join()}`)
    const most = ATTEMPTS_FIRST + ATTEMPTS_THEN * seconds / 10
    for (const [i, times] of attempts.entries()) {
      faults.expect(times.length <= most, `node ${i} asked ${times.length} times`)
      const pauses = pausesOf(times).slice(-5).map((ms) => Math.round(ms / 10))
      faults.expect(pauses.length < 5 || new Set(pauses).size > 1, `node ${i} asks regularly`)
    }
    const lines = after.map((all, i) => all.length - (before[i]?.length ?? 0))
    const all = (await Promise.all(scene.nodes.map((node) => node.lines()))).map(({ length }) => length)
    faults.expect(all.every((count) => count <= LINES), `the nodes wrote ${all.join()} lines: ${JSON.stringify(after[0]).slice(0, 500)}`)
    const shares = cpu.map((ms) => ms / seconds / 1_000)
    faults.expect(shares.every((share) => share <= CPU), `the nodes used ${shares.map((share) => share.toFixed(3)).join()} of a core`)
    const seen = await scene.seen()
    expectAll(faults, seen, outcome)
    expectSame(faults, seen)
    const pauses = attempts.flatMap(pausesOf)
    return `gone for ${seconds} s; each node asked ${attempts.map(({ length }) => length).join(', ')} times, pauses up to ${Math.round(Math.max(...pauses))} ms, ` +
      `wrote ${lines.join(', ')} lines meanwhile and ${all.join(', ')} in all, used ${shares.map((share) => `${(share * 100).toFixed(1)} %`).join(', ')} of a core; ` +
      `all clients live ${Math.round(back)} ms after it was back; ${JSON.stringify(outcome.failures)}`
  } finally {
    await scene.close()
  }
})

function pausesOf (times: readonly number[]): number[] {
  return times.slice(1).map((at, i) => at - (times[i] as number))
}
