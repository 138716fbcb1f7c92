/**
 * A million clients, one after the other, that say nonsense of where they were: whether each is answered with 200 and told so once, nothing
 * is logged above info, and no single one holds the event loop. One line, PASS or FAIL.
 */
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { Asker } from '../test/fuzz/asker.ts'
import { asked, gapOf, joined, requestOf } from '../test/fuzz/positions.ts'
import { faultOf } from '../test/fuzz/told.ts'
import { Child } from './child.ts'
import type { Place, Tally } from './fuzz-positions-server.ts'
import { Machine } from './machine.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '20261130' },
    // More than a million takes on a slow machine.
    seconds: { type: 'string', default: '1200' }
  }
})

const MAX_DELAY = 50
const SAMPLE = 1_000
const WARM_UP = 5_000

const [cases, seed, seconds] = [values.cases, values.seed, values.seconds].map(Number) as [number, number, number]
const server = new Child('fuzz-positions-server', [String(seconds + 60)])
const faults: string[] = []
const reasons: Record<string, number> = {}

/** Asks for so many streams, and looks at the answers. */
async function ask (asker: Asker, place: Place, count: number, seed: number): Promise<void> {
  for (const one of fc.sample(asked(place), { numRuns: count, seed })) {
    const answer = await asker.ask(requestOf(one))
    // What a query comes to is the server's to say.
    const header = joined(one.headers)
    const lastEventId = header === undefined ? (await server.ask<{ lastEventId: string | null }>('saw', 10_000)).lastEventId : header === '' ? null : header
    const fault = faultOf(one, answer, { ...place, lastEventId })
    if (fault !== null && faults.push(`${fault}, to ${JSON.stringify(one).slice(0, 500)}`) > 10) throw new Error(faults.join('\n'))
    const reason = gapOf(lastEventId, place)?.reason ?? (lastEventId === null ? 'none' : 'replay')
    reasons[reason] = (reasons[reason] ?? 0) + 1
  }
}

try {
  const place = await server.ask<Place>('place', 10_000)
  const asker = await Asker.open(place.port)
  await ask(asker, place, WARM_UP, seed - 1)
  await server.ask('begin', 10_000)
  const machine = new Machine([server.pid])
  const began = performance.now()
  let done = 0
  while (done < cases && performance.now() - began < seconds * 1_000) {
    const count = Math.min(SAMPLE, cases - done)
    await ask(asker, place, count, seed + done / SAMPLE)
    done += count
  }
  const { delay, p9999, noise, opened, open, escaped } = await server.ask<Tally>('tally', 10_000)
  asker.close()
  const wrong = [
    ...faults,
    ...done < cases ? [`only ${done} were asked within ${seconds} s`] : [],
    ...noise > 0 ? [`${noise} lines were logged above info`] : [],
    ...escaped > 0 ? [`${escaped} errors escaped`] : [],
    ...opened !== done + WARM_UP || open !== 0 ? [`${opened} streams opened, ${open} of them are open`] : [],
    ...delay >= MAX_DELAY ? [`the event loop was held for ${delay.toFixed(1)} ms`] : []
  ]
  const took = (performance.now() - began) / 1_000
  console.log(`${wrong.length === 0 ? 'PASS' : `FAIL (${wrong.join('; ')})`}: ${done} positions in ${took.toFixed(0)} s, seed ${seed}: ${JSON.stringify(reasons)}; the event loop was held for ${p9999.toFixed(1)} ms (p99.99) and ${delay.toFixed(1)} ms at most; ${machine.others.toFixed(2)} cores taken by others`)
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  await server.stop()
}
