/** Subscribing at every offset while 5,000 events a second are published: each connection sees one contiguous run. */
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { Connection } from '../../index.ts'
import { start, type ServerOptions } from '../support/server.ts'
import { subscribe, type Protocol, type Subscriber } from '../support/subscriber.ts'

const RATE = 5   // events a millisecond

// Publishes 1, 2, 3 … on `n` at the rate, and then `end`; `between` is called after each.
async function publish ({ topics }: FastifyInstance, count: number, between: (n: number) => void = () => {}): Promise<void> {
  const began = performance.now()
  for (let n = 1; n <= count;) {
    const due = Math.min(count, Math.ceil((performance.now() - began) * RATE))
    for (; n <= due; n++) {
      topics.publish('n', n)
      between(n)
    }
    await delay(1)
  }
}

function isContiguous (numbers: number[]): boolean {
  return numbers.every((n, i) => i === 0 || n === numbers[i - 1] as number + 1)
}

const PROTOCOLS: Array<{ title: string, protocol: Protocol, options: ServerOptions }> = [
  { title: 'HTTP/1.1', protocol: 'http1', options: {} },
  { title: 'HTTP/1.1 over TLS', protocol: 'http1', options: { tls: true } },
  { title: 'HTTP/2', protocol: 'http2', options: { http2: true } },
  { title: 'HTTP/2 over TLS', protocol: 'http2', options: { http2: true, tls: true } }
]

for (const { title, protocol, options } of PROTOCOLS) {
  t.test(`${title}: connections that are subscribed and unsubscribed at every offset get exactly what was published meanwhile`, async (t) => {
    const { app, origin } = await start(t, (app) => { app.stream('/', { topics: 'end' }) }, options)
    const clients: Subscriber[] = []
    const connections: Connection[] = []
    app.connections.on('open', (connection) => { connections.push(connection) })
    for (let i = 0; i < 20; i++) clients.push(await subscribe(t, origin, '/', { protocol }))
    const expected = connections.map(() => [] as number[])
    const isSubscribed = connections.map(() => false)
    await publish(app, 3_000, (n) => {
      for (const [i, isOn] of isSubscribed.entries()) if (isOn) expected[i]?.push(n)
      const next = n * 7 % connections.length
      if (isSubscribed[next] === true) connections[next]?.unsubscribe('n')
      else connections[next]?.subscribe('n')
      isSubscribed[next] = isSubscribed[next] !== true
    })
    app.topics.publish('end', 'end')
    for (const [i, client] of clients.entries()) {
      await client.until('data: end')
      t.equal(client.data.slice(0, -1).join(), expected[i]?.join(), `client ${i}`)
      t.same(client.gaps, [])
    }
  })

  t.test(`${title}: clients that come and go all the time miss nothing and get nothing twice`, async (t) => {
    const { app, origin } = await start(t, (app) => { app.stream('/', { topics: ['n', 'end'] }) }, options)
    const seen: number[][] = []
    let isOver = false
    await Promise.all([
      publish(app, 7_500).then(() => {
        isOver = true
        app.topics.publish('end', 'end')
      }),
      ...Array.from({ length: 12 }, async (_, i) => {
        seen.push(await comeAndGo(t, origin, protocol, 20 + 7 * i, () => isOver))
      })
    ])
    for (const numbers of seen) {
      t.ok(isContiguous(numbers), `${numbers.length} events from ${numbers[0] ?? ''} on`)
      t.equal(numbers.at(-1), 7_500)
    }
  })
}

// Everything a client sees that leaves after so many ms and comes back where it was, until it has read `end`.
async function comeAndGo (t: Test, origin: string, protocol: Protocol, ms: number, isOver: () => boolean): Promise<number[]> {
  const seen: number[] = []
  for (let lastEventId = ''; ;) {
    const client = await subscribe(t, origin, '/', { protocol, lastEventId })
    if (isOver()) await client.until('data: end')
    else await delay(ms)
    client.leave()
    t.same(client.gaps, [])
    const data = client.data.slice()
    lastEventId = client.lastEventId
    const isLast = data.at(-1) === 'end'
    seen.push(...(isLast ? data.slice(0, -1) : data).map(Number))
    if (isLast) return seen
  }
}

t.test('clients that come back from two hundred positions, while it is published', async (t) => {
  const { app, origin } = await start(t, (app) => { app.stream('/', { topics: ['n', 'end'] }) })
  const opening: Array<Promise<[from: number, client: Subscriber]>> = []
  await publish(app, 3_000, (n) => {
    if (n % 15 !== 0) return
    const from = n % 2 === 0 ? n : n - 100
    const lastEventId = app.topics.position.replace(/\d+$/, String(Math.max(0, from)))
    opening.push(subscribe(t, origin, '/', { lastEventId }).then((client) => [from, client]))
  })
  app.topics.publish('end', 'end')
  for (const [from, client] of await Promise.all(opening)) {
    await client.until('data: end')
    const numbers = client.data.slice(0, -1).map(Number)
    if (!isContiguous([Math.max(0, from), ...numbers, 3_001])) t.fail(`from ${from}: ${numbers.slice(0, 5).join()}`)
    if (client.gaps.length !== 0) t.fail(`a gap from ${from}`)
  }
  t.equal(opening.length, 200)
})
