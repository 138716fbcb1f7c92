/** More clients than the server has descriptors for: does it go on for those who are in, quietly, and take the others once there is room? */
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from '../child.ts'
import { verdict } from '../verdict.ts'
import type { Reading } from './clients.ts'
import { Crowd } from './crowd.ts'
import type { Figures } from './descriptors-server.ts'

const ANSWER = 30_000

// How soon who was not let in tries again, ms.
const RETRY = 300

// Of the server: lines of its log in all, and of a core, however many knock.
const LINES = 10
const CPU = 0.3

// How soon all are in once there is room: two attempts, and what a busy machine adds, ms.
const ROOM = 2 * RETRY + 4_000

await verdict({ limit: 256, within: 150, more: 200, seconds: 10 }, async ({ limit, within, more, seconds }, faults) => {
  const lifetime = 120 + seconds
  const server = new Child('load/descriptors-server', [String(lifetime)], [], ['sh', '-c', `ulimit -n ${limit}; exec "$@"`, 'sh'])
  const crowds: Crowd[] = []
  try {
    const port = await server.ask<number>('port', ANSWER)
    const crowd = (count: number) => {
      const crowd = new Crowd({ port, count, lifetime, returns: true, retry: RETRY })
      crowds.push(crowd)
      return crowd
    }
    const figures = () => server.ask<Figures>('figures', ANSWER)
    const [first, second] = [crowd(within), crowd(more)]
    await first.enter()
    await server.ask('publish', ANSWER)
    await second.enter()
    const before = await figures()
    const began = performance.now()
    await delay(seconds * 1_000)
    const during = await figures()
    const cpu = (during.cpu - before.cpu) / (performance.now() - began)
    const [inside, outside] = [await first.read(), await second.read()]
    await first.leave()
    const left = performance.now()
    const admitted = await second.until(({ open }) => open === more, ROOM)
    const took = performance.now() - left
    const after = await figures()
    await second.leave()
    const end = await untilEmpty(figures)

    faults.expect(outside.open < more, `a limit of ${limit} kept nobody out`)
    faults.expect(during.registry === within + outside.open, `the registry had ${during.registry}, and ${within} + ${outside.open} were open`)
    for (const [name, reading, opened] of [['first', inside, within], ['others', admitted, more]] as const) {
      faults.expect(reading.faults.length === 0 && Object.keys(reading.gaps).join() === 'none', `the ${name} miss ${reading.faults.join()} ${JSON.stringify(reading.gaps)}`)
      faults.expect(reading.open === opened && reading.opened === opened, `of the ${name} ${reading.open} are open, and ${reading.opened} streams began`)
    }
    faults.expect(after.registry === more, `the registry has ${after.registry} of ${more}`)
    faults.expect(end.registry === 0 && end.closed === end.opened && end.opened === within + more, `${end.opened} opened, ${end.closed} closed, ${end.registry} are left`)
    faults.expect(end.reasons['client'] === end.closed, `close reasons ${JSON.stringify(end.reasons)}`)
    faults.expect(end.lines <= LINES, `${end.lines} lines were logged`)
    faults.expect(cpu <= CPU, `it used ${(cpu * 100).toFixed(0)} % of a core`)
    return `${within} + ${outside.open} of ${within + more} were let in with ${limit} descriptors and missed nothing in ${seconds} s; the others were turned away ${turnedAway(outside)} times, ` +
      `${end.lines} lines of the log, ${(cpu * 100).toFixed(1)} % of a core; when ${within} had left, all were in after ${Math.round(took)} ms`
  } finally {
    await Promise.all([server.stop(), ...crowds.map((crowd) => crowd.stop())])
  }
})

function turnedAway ({ ends }: Reading): number {
  return ends.cut + ends.refused
}

async function untilEmpty (figures: () => Promise<Figures>): Promise<Figures> {
  for (const deadline = performance.now() + 5_000; ; await delay(50)) {
    const now = await figures()
    if (now.registry === 0 || performance.now() > deadline) return now
  }
}
