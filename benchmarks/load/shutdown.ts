/** SIGTERM of a server with thousands of open streams, while another process takes its port: does each client go over, and is none turned away? */
import { isDeepStrictEqual } from 'node:util'
import { verdict } from '../verdict.ts'
import { Scene } from './scene.ts'
import { settledSockets } from './sockets.ts'

// Published before it is told to end, while it does, and behind that.
const EVERY = 50
const BEFORE = 20

// What the second server publishes is numbered from here: in memory it knows nothing of the first.
const SECOND = 1_000_000

// Events of 10 kB for a stalled client: more than the kernel takes for it.
const LARGE = 1_600

// Beyond its deadline, ms: a process needs some time to go away, on a machine that lets others come first.
const SLACK = 2_000

// Fastify closes the server before its `pluginTimeout` is over, 10 s, and that cuts who is stalled: see plugins/shutdown.ts. ms
const HELD = 9_000

// Thousands who come at once overflow the kernel's queue, which makes some try again after 1, 3, 7, 15 s. ms
const UNTIL_BACK = 90_000

await verdict({ log: 'memory', connections: 10_000, stalled: 20, drain: 10_000, retry: 2_000 }, async ({ log, connections, stalled, drain, retry }, faults) => {
  const scene = await Scene.open(log, 300)
  try {
    const options = { drain, retry }
    const first = scene.server({ options, large: LARGE })
    const port = await first.listen()
    const second = scene.server({ options, port, first: SECOND })
    const crowd = scene.crowd({ port, count: connections, returns: true })
    const others = scene.crowd({ port, count: stalled, path: '/large', stalls: true })
    await Promise.all([crowd.enter(), others.enter()])
    await scene.publish(port, EVERY)
    await crowd.until(({ last }) => last >= BEFORE)

    const told = performance.now()
    const ended = first.terminate().then((end) => ({ ...end, ms: performance.now() - told }))
    await second.listen()
    const taken = performance.now() - told
    await crowd.until(({ open, opened }) => open === connections && opened === 2 * connections, UNTIL_BACK)
    const back = performance.now() - told
    const { code, reasons, ms } = await ended
    const outcome = await scene.silence()
    const reading = await crowd.until(({ last }) => last >= outcome.last)
    const { registry } = await second.figures()
    const { established } = await settledSockets(port, registry)

    const { ends, gaps } = reading
    faults.expect(code === 0, `the old process ended with ${code}`)
    faults.expect(ms <= drain + SLACK, `the old process ended after ${Math.round(ms)} ms`)
    faults.expect(stalled === 0 || ms >= Math.min(drain, HELD), `${stalled} that were stalled did not hold it up`)
    faults.expect(reasons['shutdown'] === connections + stalled && Object.values(reasons).reduce((sum, count) => sum + count, 0) === reasons['shutdown'], `close reasons ${JSON.stringify(reasons)}`)
    faults.expect(ends.proper === connections && ends.cut === 0, `${ends.proper} streams ended properly, ${ends.cut} were cut`)
    faults.expect(isDeepStrictEqual(ends.statuses, {}), `clients were answered ${JSON.stringify(ends.statuses)}`)
    faults.expect(reading.open === connections && reading.opened === 2 * connections, `${reading.open} clients are back, ${reading.opened} streams began`)
    faults.expect(reading.told === connections && reading.toldLeast >= 0.5 * retry && reading.toldMost <= 1.5 * retry, `${reading.told} were told to wait, ${reading.toldLeast} to ${reading.toldMost} ms`)
    faults.expect(connections < 100 || reading.toldMost - reading.toldLeast >= 0.8 * retry, `all were told to wait ${reading.toldLeast} to ${reading.toldMost} ms`)
    faults.expect(reading.last >= outcome.last, `somebody has ${reading.last} of ${outcome.last}`)
    faults.expect(reading.faults.length === 0, `missing without a word, or twice: ${reading.faults.join()}`)
    faults.expect(isDeepStrictEqual(gaps, scene.isShared ? { none: connections } : { 'foreign × 1': connections }), `gaps ${JSON.stringify(gaps)}`)
    faults.expect(!scene.isShared || isDeepStrictEqual(outcome.failures, {}), `publishes failed: ${JSON.stringify(outcome.failures)}`)
    faults.expect(registry === connections && established === connections, `the new process has ${registry} streams, the kernel ${established}`)
    return `${connections} clients and ${stalled} stalled ones; the port was taken over after ${Math.round(taken)} ms, the old process ended after ${Math.round(ms)} of ${drain} ms; ` +
      `${ends.proper} streams ended properly, all clients were back after ${Math.round(back)} ms, ${ends.refused} times too early, told to wait ${reading.toldLeast} to ${reading.toldMost} ms; ` +
      `gaps ${JSON.stringify(gaps)}; ${outcome.acknowledged} events, ${JSON.stringify(outcome.failures)}`
  } finally {
    await scene.close()
  }
})
