/**
 * A server that obeys the contract of the lab (see README.md), written as an app would be. TOKENS says how `/tokens` sends:
 * `await` each event (the default), from a `generator`, or `objects` through a schema or (`json`) without one.
 */
import fastify from 'fastify'
import pastelli from '../index.ts'

const FEED = 'feed'
const TOKENS = process.env.TOKENS ?? 'await'

// So much may be queued for a connection before a flood waits.
const MARK = 16 * 1024

const PAD = 'x'.repeat(2 ** 17)

const app = fastify()
await app.register(pastelli)

app.stream('/stream', { topics: FEED }, (_request, reply) => {
  reply.event({ hello: 1 })
})

interface Tokens { count: number, size: number, tick: number }

const tokensSchema = numbers({ count: 1, size: 40, tick: 0 })

if (TOKENS === 'await') {
  app.stream<{ Querystring: Tokens }>('/tokens', { schema: tokensSchema }, async ({ query }, reply) => {
    const { count, size, tick } = query
    for (let n = 0; n < count; n++) {
      if (!await reply.event(tokenText(n, size))) return
      if (tick === 1) await turn()
    }
    reply.closeChunk()
  })
} else if (TOKENS === 'generator') {
  app.stream<{ Querystring: Tokens }>('/tokens', { schema: tokensSchema }, async function * ({ query: { count, size, tick } }) {
    for (let n = 0; n < count; n++) {
      yield tokenText(n, size)
      if (tick === 1) await turn()
    }
  })
} else {
  const properties = { n: { type: 'integer' }, p: { type: 'string' } }
  const events = TOKENS === 'objects' ? { events: { message: { type: 'object', properties } } } : {}
  app.stream<{ Querystring: Tokens }>('/tokens', { schema: { ...tokensSchema, ...events as { events?: never } } }, async ({ query: { count, size } }, reply) => {
    for (let n = 0; n < count; n++) {
      if (!await reply.event({ n, p: PAD.slice(0, Math.max(0, size - String(n).length - 13)) })) return
    }
    reply.closeChunk()
  })
}

interface Publish { count: number, size: number, rate: number, burst: number }

app.get<{ Querystring: Publish }>('/publish', { schema: numbers({ count: 1, size: 100, rate: 0, burst: 1 }) }, async ({ query }) => {
  const began = performance.now()
  await (query.rate === 0 ? flood(query) : feed(query, began))
  return { sent: query.count, ms: performance.now() - began }
})

app.get('/stats', async () => ({ pid: process.pid, ...process.memoryUsage(), subs: app.connections.size }))

await app.listen({ port: Number(process.env.PORT ?? 9000), host: '127.0.0.1' })

/** As fast as it goes: a burst in each turn, and none while a connection has more queued than its mark. */
async function flood ({ count, size, burst }: Publish): Promise<void> {
  for (let n = 0; n < count;) {
    for (let end = Math.min(count, n + burst); n < end; n++) void app.topics.publish(FEED, eventText(n, size))
    do await turn(); while (isAnyoneFull())
  }
}

function isAnyoneFull (): boolean {
  for (const { queued } of app.connections) if (queued > MARK) return true
  return false
}

/** A live feed, which waits for nobody. */
async function feed ({ count, size, rate }: Publish, began: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const early = began + n * 1000 / rate - performance.now()
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    else if (n % 64 === 63) await turn()
    void app.topics.publish(FEED, eventText(n, size))
  }
}

/** JSON of exactly `size` bytes, stamped with the time in ns. */
function eventText (n: number, size: number): string {
  return pad(`{"t":${process.hrtime.bigint()},"n":${n},"p":"`, size)
}

/** JSON of exactly `size` bytes, without a look at the clock. */
function tokenText (n: number, size: number): string {
  return pad(`{"n":${n},"p":"`, size)
}

function pad (head: string, size: number): string {
  return head + PAD.slice(0, Math.max(0, size - head.length - 2)) + '"}'
}

function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

/** A schema for a query of numbers with these defaults. */
function numbers (defaults: Record<string, number>): { querystring: object } {
  const properties = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, { type: 'number', default: value }]))
  return { querystring: { type: 'object', properties } }
}
