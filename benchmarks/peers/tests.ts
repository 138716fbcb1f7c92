/** The tests: what is asked of each peer, how it is measured, what comes of it. */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Reading } from './clients.ts'
import { check, type Figures, Invalid, type Stage } from './stage.ts'

export interface Test {
  /** What is done, for readers. */
  what: string
  run: (stage: Stage) => Promise<Figures>
}

/** Of events that go to many. */
export interface Crowd { connections: number, events: number, warmUp: number }

/** The scale of a run that only tries everything. */
export const QUICK = 0.1

const SIZE = 100
const TOKEN = 40
const LARGE = 10_000
const AT_ONCE = 64
const LOOK_EVERY = 10

/**
 * @param scale how much of each: events, tokens, connections that come and go; as many are open at once, whatever it is
 */
export function testsOf (scale: number): Record<string, Test> {
  const some = (n: number) => Math.max(1, Math.round(n * scale))
  return {
    'fan-out-100': fanOut({ connections: 100, events: some(1_500), warmUp: some(500) }),
    'fan-out-1000': fanOut({ connections: 1_000, events: some(150), warmUp: some(50) }),
    'fan-out-5000': fanOut({ connections: 5_000, events: some(40), warmUp: some(10) }),
    burst: fanOut({ connections: 1_000, events: some(320), warmUp: some(96) }, 16),
    latency: latency({ connections: 1_000, events: some(60), warmUp: some(10) }, 20),
    'tokens-1': tokens(1, some(500_000)),
    'tokens-50': tokens(50, some(10_000)),
    'tick-50': tokens(50, some(4_000), true),
    memory: memory(5_000, 300),
    // As many before: until then V8 has not compiled all of what a peer does, which costs twice as much (2026-11).
    churn: churn(some(10_000), some(10_000)),
    stalled: stalled(20, some(1_000), 200)
  }
}

export function fanOut ({ connections, events, warmUp }: Crowd, burst = 1): Test {
  const publication = { size: SIZE, rate: 0, burst }
  return {
    what: `${events} events of ${SIZE} bytes, ${burst === 1 ? 'one' : `${burst}, published one by one,`} in each turn of the event loop, to ${connections} connections`,
    run: async (stage) => {
      await stage.clients('subscribe', connections)
      await stage.publish({ ...publication, count: warmUp }, connections, warmUp)
      const { answer: { began, reading }, cpu } = await stage.measure(() => stage.publish({ ...publication, count: events }, connections, warmUp + events))
      return { cpu: cpu / events / connections, rate: events * connections / (reading.at - began) * 1e9 }
    }
  }
}

export function latency ({ connections, events, warmUp }: Crowd, rate: number): Test {
  const publication = { size: SIZE, rate, burst: 1 }
  return {
    what: `${events} events of ${SIZE} bytes, ${rate} a second, to ${connections} connections: from publish to receipt by each`,
    run: async (stage) => {
      await stage.clients('subscribe', connections)
      await stage.publish({ ...publication, count: warmUp }, connections, warmUp)
      await stage.clients('time')
      const { answer: { reading }, cpu } = await stage.measure(() => stage.publish({ ...publication, count: events }, connections, warmUp + events))
      return { cpu: cpu / events / connections, p50: reading.p50, p99: reading.p99 }
    }
  }
}

export function tokens (connections: number, count: number, tick = false): Test {
  const ask = (stage: Stage, count: number) => stage.clients<Reading>('tokens', connections, `count=${count}&size=${TOKEN}&tick=${tick ? 1 : 0}`, stage.patience)
  return {
    what: `${connections === 1 ? 'one response' : `${connections} responses at once`} of ${count} events of ${TOKEN} bytes${tick ? ', each event in a turn of the event loop of its own' : ', as fast as the client takes them'}`,
    run: async (stage) => {
      const warmUp = Math.ceil(count / 5)
      check(await ask(stage, warmUp), warmUp * connections)
      const { answer: reading, cpu, began } = await stage.measure(() => ask(stage, count))
      check(reading, count * connections)
      return { cpu: cpu / count / connections, rate: count * connections / (reading.at - began) * 1e9 }
    }
  }
}

export function memory (connections: number, warmUp: number): Test {
  return {
    what: `resident memory of the server, collected, before ${connections} connections and with them, each of which has had one event; ${warmUp} have come and gone before`,
    run: async (stage) => {
      if ((await stage.clients<{ failed: number }>('churn', warmUp, AT_ONCE)).failed > 0) throw new Invalid('a connection failed')
      await emptied(stage)
      const before = await stage.ask<number>('rss')
      const { answer: after } = await stage.measure(async () => {
        await stage.clients('subscribe', connections)
        return await stage.ask<number>('rss')
      })
      const open = await stage.ask<number>('subscribers')
      if (open !== connections) throw new Invalid(`${open} connections are open of ${connections}`)
      return { memory: (after - before) / connections }
    }
  }
}

export function churn (total: number, warmUp: number): Test {
  const come = async (stage: Stage, total: number) => {
    const { failed, ms } = await stage.clients<{ failed: number, ms: number }>('churn', total, AT_ONCE)
    if (failed > 0) throw new Invalid(`${failed} connections failed of ${total}`)
    await emptied(stage)
    return ms
  }
  return {
    what: `${total} connections, ${AT_ONCE} at once: each opens a stream, waits for its first event and leaves`,
    run: async (stage) => {
      await come(stage, warmUp)
      const { answer: ms, cpu } = await stage.measure(() => come(stage, total))
      return { cpu: cpu / total, rate: total / ms * 1_000 }
    }
  }
}

export function stalled (each: number, events: number, rate: number): Test {
  return {
    what: `${events} events of ${LARGE} bytes, ${rate} a second, to ${each} clients that read and ${each} that never do: by how much the server's resident memory grows at most, and how many of those that do not read it still has at the end`,
    run: async (stage) => {
      const path = join(tmpdir(), `pastelli-${randomUUID()}`)
      try {
        await stage.ask('listen at', path)
        await stage.clients('subscribe', each)
        await stage.clients('stall', path, each)
        await there(stage, 2 * each)
        const before = await stage.ask<number>('rss')
        await stage.ask('watch')
        await stage.measure(() => stage.publish({ count: events, size: LARGE, rate, burst: 1 }, each, events))
        return { memory: await stage.ask<number>('peak') - before, left: await stage.ask<number>('subscribers') - each }
      } finally {
        rmSync(path, { force: true })
      }
    }
  }
}

function emptied (stage: Stage): Promise<void> {
  return there(stage, 0)
}

async function there (stage: Stage, count: number): Promise<void> {
  const deadline = performance.now() + stage.patience
  let found = NaN
  while (found !== count) {
    if (performance.now() > deadline) throw new Invalid(`${found} connections are there, ${count} should be`)
    found = await stage.ask<number>('subscribers')
    await delay(LOOK_EVERY)
  }
}
