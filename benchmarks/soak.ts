/**
 * Connections that come and go by FIN, RST and half-close while events flow; when all have gone, nothing of them may be left.
 * Prints one line, PASS or FAIL, and exits with 0 or 1.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { Child } from './child.ts'
import type { Churn } from './soak-clients.ts'
import type { Remains } from './remains.ts'
import type { Tally } from './soak-server.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    connections: { type: 'string', default: '2000' },
    rate: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    'warm-up': { type: 'string', default: '10' }
  }
})
const seconds = Number(values.seconds)
const count = Number(values.connections)
const warmUp = Number(values['warm-up'])
const rate = Number(values.rate)

// What the heap may grow by: compiled code, feedback and caches settle at about this much, however many connections there were.
const HEAP_SLACK = 2 * 2 ** 20
const MARGIN = 90

/** The crowd is there for so many seconds; then all leave. */
async function run (clients: Child, duration: number): Promise<Churn> {
  await clients.ask('start', 30_000)
  await delay(duration * 1_000)
  return await clients.ask<Churn>('stop', 30_000)
}

function faults (before: Remains, after: Remains, tally: Tally, churn: Churn): string[] {
  const ways = churn.fin + churn.rst + churn.half
  const found: Array<[isFault: boolean, words: string]> = [
    [after.registry !== 0, `${after.registry} connections left in the registry`],
    [after.sockets !== 0, `${after.sockets} sockets left`],
    [!isDeepStrictEqual(after.resources, before.resources), `resources ${JSON.stringify(before.resources)} → ${JSON.stringify(after.resources)}`],
    [!isDeepStrictEqual(after.listeners, before.listeners), `listeners ${JSON.stringify(before.listeners)} → ${JSON.stringify(after.listeners)}`],
    [after.heap - before.heap > HEAP_SLACK, 'the heap grew'],
    [tally.opened !== tally.closed, `${tally.opened} opened and ${tally.closed} closed`],
    [tally.aborted !== tally.settled || tally.settled < tally.closed, `${tally.aborted} signals aborted and ${tally.settled} promises settled`],
    [tally.closed !== tally.reasons.client, `close reasons ${JSON.stringify(tally.reasons)}`],
    [churn.failed !== 0, `${churn.failed} clients failed`],
    [tally.opened === 0 || tally.opened > ways, `${ways} clients came and ${tally.opened} connections opened`],
    [tally.events <= tally.opened, 'no events flowed']
  ]
  return found.filter(([isFault]) => isFault).map(([, words]) => words)
}

function figures (before: Remains, after: Remains, tally: Tally, churn: Churn): string {
  const ways = churn.fin + churn.rst + churn.half
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(2)
  const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, number) => sum + number, 0)
  return [
    `${seconds} s, ${rate === 0 ? `${count} at once` : `${rate} a second`}, seed ${values.seed}`,
    `${ways} clients left (fin ${churn.fin}, rst ${churn.rst}, half-close ${churn.half})`,
    `${tally.opened} opened, ${tally.closed} closed, ${tally.events} events`,
    `registry ${before.registry} → ${after.registry}`,
    `sockets ${before.sockets} → ${after.sockets}`,
    `timers and handles ${total(before.resources)} → ${total(after.resources)}`,
    `listeners ${total(before.listeners)} → ${total(after.listeners)}`,
    `heap ${mib(before.heap)} → ${mib(after.heap)} MiB`
  ].join('; ')
}

const lifetime = seconds + warmUp + MARGIN
const server = new Child('soak-server', [String(lifetime)], ['--expose-gc'])
const port = await server.ask<number>('port', 10_000)
const clients = new Child('soak-clients', [port, count, rate, values.seed, lifetime].map(String))
try {
  await run(clients, warmUp)
  const before = await server.ask<Remains>('read', 30_000)
  const churn = await run(clients, seconds)
  const after = await server.ask<Remains>('read', 30_000)
  const tally = await server.ask<Tally>('tally', 5_000)
  const found = faults(before, after, tally, churn)
  console.log(`${found.length === 0 ? 'PASS' : `FAIL (${found.join('; ')})`}: ${figures(before, after, tally, churn)}`)
  process.exitCode = found.length === 0 ? 0 : 1
} finally {
  await Promise.all([server.stop(), clients.stop()])
}
