/** SIGSTOP of the engine for a while: do publishes wait or fail in their time, do streams stay open, and do all go on? */
import { setTimeout as delay } from 'node:timers/promises'
import { numbersOf } from './history.ts'
import { Scene } from './scene.ts'
import { chaos, expectAll, expectSame } from './verdict.ts'

// How much later than in its time a publish may fail, on a machine that is busy, ms.
const SLACK = 1_000

// A node that has noticed it tries again after up to 5 s, and a client of NATS after up to 2 s more: when all are live again, ms.
const BACK = 10_000

// A client that hears nothing for longer leaves, and comes back: then it is no stream that stayed open. ms
const HEARTBEAT = 2_000
const SILENCE = 6_000

await chaos({ seconds: 30 }, async ({ seconds, ...options }, faults) => {
  const scene = await Scene.open({ ...options, lifetime: 120 + seconds, node: { heartbeat: HEARTBEAT }, client: { heartbeatTimeout: SILENCE } })
  try {
    await scene.publish()
    await scene.pause(1_000, 3_000)
    scene.engine.suspend()
    await delay(seconds * 1_000)
    const away = await scene.reading()
    scene.engine.resume()
    const { published } = await scene.outcome()
    const resumed = performance.now()
    faults.expect(await scene.reached(published), 'not all went on')
    const back = performance.now() - resumed
    faults.expect(back <= BACK, `all were live ${Math.round(back)} ms after it went on`)
    const outcome = await scene.silence()
    faults.expect(await scene.reachedAll(outcome), 'not all got to the end')
    faults.expect(away.open === options.clients && away.opened === options.clients, `${away.open} clients were open, ${away.opened - options.clients} had come back`)
    faults.expect(outcome.slowest <= options.timeout + SLACK, `a publish took ${Math.round(outcome.slowest)} ms`)
    faults.expect(Object.keys(outcome.failures).every((failure) => failure.startsWith('PST_ERR_LOG')), `publishes failed with ${Object.keys(outcome.failures).join()}`)
    const seen = await scene.seen()
    expectAll(faults, seen, outcome)
    expectSame(faults, seen)
    const acknowledged = numbersOf(outcome.acknowledged).length
    const later = numbersOf(seen[0]?.steps ?? []).length - acknowledged
    return `stood still for ${seconds} s, all streams stayed open; of ${outcome.published} events ${acknowledged} were acknowledged, at last, and ${later} of the others came all the same; no publish took more than ${Math.round(outcome.slowest)} ms; all clients were live ${Math.round(back)} ms after it went on; ${JSON.stringify(outcome.failures)}`
  } finally {
    await scene.close()
  }
})
