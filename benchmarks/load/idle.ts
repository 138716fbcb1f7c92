/** Thousands of streams on which nothing happens for long: does each get its heartbeats, and does the server not grow? */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Remains } from '../remains.ts'
import { type Faults, verdict } from '../verdict.ts'
import type { Reading } from './clients.ts'
import { Crowd } from './crowd.ts'
import type { Figures } from './server.ts'
import { ServerProcess } from './server-process.ts'
import { socketsOf } from './sockets.ts'
import { slopeOf } from './trend.ts'

interface Sample extends Figures {
  /** min */
  at: number
  /** What the kernel has of the server's port. */
  established: number
  closing: number
}

const MOST_LOOKS = 60
const LOOKS_A_MINUTE = 240

// Of the time, at first: code is compiled, the heap finds its size.
const WARM_UP = 0.2

// Over all of the time that counts, MiB: what compiled code, feedback and caches settle at. In eight minutes 10,000 streams get some
// 300,000 heartbeats, so that no object could stay of each, however small.
const GROWTH = 2

// A heartbeat comes 1 to 1.5 intervals after the last.
const LATEST = 1.5

// What a machine adds that is busy with something else, though both processes look at once, ms.
const SLACK = 250

async function sampleOf (server: ServerProcess, port: number, began: number): Promise<Sample> {
  const [figures, sockets] = await Promise.all([server.figures(), socketsOf(port)])
  return { ...figures, ...sockets, at: (performance.now() - began) / 60_000 }
}

function expectHeartbeats (faults: Faults, { silence, fewest, most, asleep }: Reading, server: Figures, heartbeat: number, ms: number): void {
  const late = LATEST * heartbeat + asleep + server.asleep + SLACK
  faults.expect(silence <= late, `a client heard nothing for ${Math.round(silence)} ms, and ${Math.round(late)} are the most`)
  faults.expect(fewest >= Math.floor((ms - asleep) / late), `a client had ${fewest} heartbeats in ${Math.round(ms)} ms`)
  faults.expect(most <= Math.ceil((ms + asleep) / heartbeat) + 1, `a client had ${most} heartbeats in ${Math.round(ms)} ms`)
}

function expectNothing (faults: Faults, before: Remains, after: Remains): void {
  faults.expect(after.registry === 0 && after.sockets === 0, `${after.registry} connections and ${after.sockets} sockets are left`)
  faults.expect(isDeepStrictEqual(after.resources, before.resources), `timers and handles ${JSON.stringify(before.resources)} → ${JSON.stringify(after.resources)}`)
  faults.expect(isDeepStrictEqual(after.listeners, before.listeners), `listeners ${JSON.stringify(before.listeners)} → ${JSON.stringify(after.listeners)}`)
}

await verdict({ minutes: 10, connections: 10_000, heartbeat: 15_000 }, async ({ minutes, connections, heartbeat }, faults) => {
  const lifetime = minutes * 60 + 300
  const server = new ServerProcess({ options: { heartbeat }, lifetime })
  let crowd: Crowd | null = null
  try {
    const port = await server.listen()
    const before = await server.remains()
    crowd = new Crowd({ port, count: connections, lifetime })
    await crowd.enter()
    await Promise.all([crowd.mark(), server.mark()])
    const began = performance.now()
    const samples: Sample[] = []
    const looks = Math.min(MOST_LOOKS, Math.floor(minutes * LOOKS_A_MINUTE))
    while (samples.length < looks) {
      await delay(began + (samples.length + 1) * minutes * 60_000 / looks - performance.now())
      samples.push(await sampleOf(server, port, began))
    }
    const reading = await crowd.read()
    const ms = performance.now() - began
    await crowd.leave()
    const after = await server.remains()
    const sockets = await socketsOf(port)
    const last = await server.figures()

    const odd = samples.filter(({ registry, established, closing }) => registry !== connections || established !== connections || closing !== 0)
    faults.expect(odd.length === 0, `at ${odd.length} of ${looks} looks not all were there and nobody else: ${odd.slice(0, 3).map(({ registry, established, closing }) => `registry ${registry}, kernel ${established} + ${closing}`).join(', ')}`)
    const settled = samples.slice(looks * WARM_UP)
    const time = (settled.at(-1) as Sample).at - (settled[0] as Sample).at
    const slopes = (['rss', 'heap'] as const).map((name) => slopeOf(settled.map((sample) => [sample.at, sample[name]])))
    const [rss = 0, heap = 0] = slopes
    faults.expect(rss * time <= GROWTH, `resident memory grows by ${(rss * 1024).toFixed(0)} KiB/min`)
    faults.expect(heap * time <= GROWTH, `the heap grows by ${(heap * 1024).toFixed(0)} KiB/min`)
    expectHeartbeats(faults, reading, last, heartbeat, ms)
    faults.expect(reading.open === connections && reading.opened === connections, `${reading.open} of ${reading.opened} streams are open`)
    faults.expect(reading.faults.length === 0 && isDeepStrictEqual(reading.gaps, { none: connections }), `gaps ${JSON.stringify(reading.gaps)}`)
    expectNothing(faults, before, after)
    faults.expect(sockets.established + sockets.closing === 0, `the kernel has ${sockets.established} + ${sockets.closing} sockets`)
    faults.expect(last.reasons['client'] === connections, `close reasons ${JSON.stringify(last.reasons)}`)
    const [first, end] = [settled[0] as Sample, settled.at(-1) as Sample]
    return `${connections} idle streams for ${minutes} min; resident memory ${first.rss.toFixed(1)} → ${end.rss.toFixed(1)} MiB, ${(rss * 1024).toFixed(0)} KiB/min, heap ${first.heap.toFixed(1)} → ${end.heap.toFixed(1)} MiB, ` +
      `${(heap * 1024).toFixed(0)} KiB/min (at most ${(GROWTH / time * 1024).toFixed(0)}); ${reading.fewest} to ${reading.most} heartbeats of ${heartbeat} ms each, never later than ${Math.round(reading.silence)} ms; ` +
      `registry = kernel at ${looks} looks, at the end ${after.registry} and ${sockets.established + sockets.closing}; the server held up for ${Math.round(last.asleep)} ms at most`
  } finally {
    await Promise.all([server.stop(), crowd?.stop()])
  }
})
