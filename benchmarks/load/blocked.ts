/** The event loop of a server is held up for seconds while events are published: is a stream lost, cut or flooded because the server slept? */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { verdict } from '../verdict.ts'
import type { Reading } from './clients.ts'
import { Scene } from './scene.ts'

// ms
const EVERY = 20

// Published before it sleeps.
const BEFORE = 25

// In a sleep so many heartbeats would have been due, and the deadlines of writes and ends pass.
const BEATS = 4
const DEADLINE = 0.9

// For how long some have stalled before it sleeps, so that it has seen that: a share of the sleep.
const STALL = 0.15

// When those that had stalled read on while the server sleeps, ms.
const WAKE_AFTER = 200

// Events of 10 kB for one that has stalled: more than the kernel takes for it.
const LARGE = 1_600

// A share of as many more hears nothing but heartbeats.
const QUIET = 0.1

await verdict({ log: 'memory', connections: 1_000, stalled: 5, seconds: 2, rounds: 3 }, async ({ log, connections, stalled, seconds, rounds }, faults) => {
  const scene = await Scene.open(log, 120 + rounds * (seconds + 30))
  try {
    const sleep = seconds * 1_000
    const heartbeat = sleep / BEATS
    const deadline = sleep * DEADLINE
    const server = scene.server({ options: { heartbeat, writeTimeout: deadline, drain: deadline }, sleep, large: LARGE })
    const port = await server.listen()
    const crowd = scene.crowd({ port, count: connections })
    const quiet = scene.crowd({ port, count: Math.ceil(connections * QUIET), path: '/quiet' })
    await Promise.all([crowd.enter(), quiet.enter()])
    await scene.publish(port, EVERY)
    const beats: number[] = []
    for (let round = 0; round < rounds; round++) {
      const { last } = await scene.published()
      await crowd.until((reading) => reading.last >= last + BEFORE)
      const stayers = scene.crowd({ port, count: stalled, path: '/large', stalls: true })
      const leavers = scene.crowd({ port, count: stalled, path: '/large?leaves', stalls: true })
      await Promise.all([stayers.enter(), leavers.enter()])
      await delay(sleep * STALL)
      await quiet.mark()
      const began = performance.now()
      await Promise.all([server.sleep(), delay(WAKE_AFTER).then(() => Promise.all([stayers.goOn(), leavers.goOn()]))])
      const heard = await quiet.until(({ fewest }) => fewest > 0)
      const awake = performance.now() - began - sleep
      beats.push(heard.most)
      faults.expect(heard.fewest > 0, 'a client heard nothing after the server had slept')
      faults.expect(heard.most <= Math.ceil(awake / heartbeat) + 1, `a client got ${heard.most} heartbeats, and the server was awake for ${Math.round(awake)} ms`)
      const [stayed, left] = await Promise.all([stayers, leavers].map((crowd) => crowd.until(({ open }) => open === 0))) as [Reading, Reading]
      faults.expect(stayed.ends.proper === stalled && stayed.last === LARGE - 1, `of ${stalled} that read while the server slept ${stayed.ends.proper} came to the end, the last has ${stayed.last + 1} of ${LARGE}`)
      faults.expect(left.ends.proper === stalled, `of ${stalled} that were closed and read while the server slept ${left.ends.proper} ended properly`)
      faults.expect(stayed.faults.length + left.faults.length === 0, `missing: ${[...stayed.faults, ...left.faults].join()}`)
    }
    const { last, acknowledged, failures } = await scene.silence()
    const reading = await crowd.until((reading) => reading.last >= last)
    const { reasons } = await server.figures()
    faults.expect(isDeepStrictEqual(failures, {}), `publishes failed: ${JSON.stringify(failures)}`)
    faults.expect(reading.last === last, `somebody has ${reading.last} of ${last}`)
    faults.expect(reading.faults.length === 0 && isDeepStrictEqual(reading.gaps, { none: connections }), `missing: ${reading.faults.join()}, gaps ${JSON.stringify(reading.gaps)}`)
    for (const { open, opened, clients } of [reading, await quiet.read()]) faults.expect(open === clients && opened === clients, `${clients - open} streams were cut`)
    const ended = { ...reasons, client: 0, server: 0 }
    faults.expect(Object.values(ended).every((count) => count === 0), `close reasons ${JSON.stringify(reasons)}`)
    return `${connections} streams with ${acknowledged} events, slept ${rounds} times for ${sleep} ms; none was cut, none missed anything; ` +
      `quiet ones heard at most ${beats.join(', ')} heartbeats of ${heartbeat} ms each time; ${2 * stalled * rounds} that read on meanwhile got all, in spite of a deadline of ${deadline} ms`
  } finally {
    await scene.close()
  }
})
