/** SIGTERM of a server with thousands of open streams, while another process takes its port: does each client go over, and is none turned away? */
import { isDeepStrictEqual } from 'node:util'
import { Engine } from '../chaos/engine.ts'
import { Child } from '../child.ts'
import { verdict } from '../verdict.ts'
import { Crowd } from './crowd.ts'
import type { Published, PublisherSettings } from './publisher.ts'
import { ServerProcess } from './server-process.ts'
import { settledSockets } from './sockets.ts'

const ANSWER = 30_000

// Published before it is told to end, while it does, and behind that.
const EVERY = 50
const BEFORE = 20

// What the second server publishes is numbered from here: in memory it knows nothing of the first.
const SECOND = 1_000_000

// Of a stalled client: more than the kernel takes for it.
const LARGE = 16 * 2 ** 20

// Beyond its deadline, ms: a process needs some time to go away, on a machine that lets others come first.
const SLACK = 2_000

const LOGS: readonly string[] = ['memory', 'redis']

await verdict({ log: 'memory', connections: 10_000, stalled: 20, drain: 10_000, retry: 2_000, seed: 1 }, async ({ log, connections, stalled, drain, retry }, faults) => {
  if (!LOGS.includes(log)) throw new Error(`--log is one of ${LOGS.join(', ')}`)
  const lifetime = 300
  const engine = log === 'redis' ? await Engine.start('redis', true) : null
  const redis = engine?.port ?? null
  const closers: Array<{ stop: () => Promise<void> }> = []
  const keep = <Kept extends { stop: () => Promise<void> }>(kept: Kept): Kept => {
    closers.push(kept)
    return kept
  }
  try {
    const options = { drain, retry }
    const first = keep(new ServerProcess({ redis, options, large: LARGE, lifetime }))
    const port = await first.listen()
    const second = keep(new ServerProcess({ redis, options, port, first: SECOND, lifetime }))
    const crowd = keep(new Crowd({ port, count: connections, returns: true, lifetime }))
    const others = keep(new Crowd({ port, count: Math.max(1, stalled), path: '/large', stalls: true, lifetime }))
    const publisherSettings: PublisherSettings = { port, redis, every: EVERY, lifetime }
    const publisher = keep(new Child('load/publisher', [JSON.stringify(publisherSettings)]))
    await crowd.enter()
    if (stalled !== 0) await others.enter()
    await publisher.ask('start', ANSWER)
    await crowd.until(({ last }) => last >= BEFORE)

    const told = performance.now()
    const ended = first.terminate().then((end) => ({ ...end, ms: performance.now() - told }))
    await second.listen()
    const taken = performance.now() - told
    await crowd.until(({ open, opened }) => open === connections && opened === 2 * connections)
    const back = performance.now() - told
    const { code, reasons, ms } = await ended
    const outcome = await publisher.ask<Published>('stop', ANSWER)
    const reading = await crowd.until(({ last }) => last >= outcome.last)
    await publisher.stop()   // its own connections are of the same port
    const { registry } = await second.figures()
    const { established } = await settledSockets(port, registry)

    const { ends, gaps } = reading
    faults.expect(code === 0, `the old process ended with ${code}`)
    faults.expect(ms <= drain + SLACK, `the old process ended after ${Math.round(ms)} ms`)
    faults.expect(stalled === 0 || ms >= drain, `${stalled} that were stalled did not hold it up`)
    faults.expect(reasons['shutdown'] === connections + stalled && Object.values(reasons).reduce((sum, count) => sum + count, 0) === reasons['shutdown'], `close reasons ${JSON.stringify(reasons)}`)
    faults.expect(ends.proper === connections && ends.cut === 0, `${ends.proper} streams ended properly, ${ends.cut} were cut`)
    faults.expect(isDeepStrictEqual(ends.statuses, {}), `clients were answered ${JSON.stringify(ends.statuses)}`)
    faults.expect(reading.open === connections && reading.opened === 2 * connections, `${reading.open} clients are back, ${reading.opened} streams began`)
    faults.expect(reading.told === connections && reading.toldLeast >= 0.5 * retry && reading.toldMost <= 1.5 * retry, `${reading.told} were told to wait, ${reading.toldLeast} to ${reading.toldMost} ms`)
    faults.expect(connections < 100 || reading.toldMost - reading.toldLeast >= 0.8 * retry, `all were told to wait ${reading.toldLeast} to ${reading.toldMost} ms`)
    faults.expect(reading.last >= outcome.last, `somebody has ${reading.last} of ${outcome.last}`)
    faults.expect(reading.faults.length === 0, `missing without a word, or twice: ${reading.faults.join()}`)
    faults.expect(isDeepStrictEqual(gaps, redis === null ? { 'foreign × 1': connections } : { none: connections }), `gaps ${JSON.stringify(gaps)}`)
    faults.expect(redis === null || isDeepStrictEqual(outcome.failures, {}), `publishes failed: ${JSON.stringify(outcome.failures)}`)
    faults.expect(registry === connections && established === connections, `the new process has ${registry} streams, the kernel ${established}`)
    return `${connections} clients and ${stalled} stalled ones; the port was taken over after ${Math.round(taken)} ms, the old process ended after ${Math.round(ms)} of ${drain} ms; ` +
      `${ends.proper} streams ended properly, all clients were back after ${Math.round(back)} ms, ${ends.refused} times too early, told to wait ${reading.toldLeast} to ${reading.toldMost} ms; ` +
      `gaps ${JSON.stringify(gaps)}; ${outcome.acknowledged} events, ${JSON.stringify(outcome.failures)}`
  } finally {
    await Promise.all(closers.map((closer) => closer.stop()))
    await engine?.remove()
  }
})
