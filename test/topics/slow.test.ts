/** A client that does not read costs its place in the log, not a queue: it catches up, or is told, or is cut and comes back. */
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { type Connection, memoryLog, type PastelliOptions } from '../../index.ts'
import { start, type Server, type ServerOptions } from '../support/server.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

// What the two sockets of a loopback connection hold is some megabytes; this is more than enough of them.
const MANY = 1_000
const PAYLOAD = 'x'.repeat(10_000)

// Two writes of 64 KiB and the last record of each, with their framing.
const MAX_QUEUED = 160 * 1024

const turn = () => new Promise(setImmediate)
const topics = (app: FastifyInstance) => { app.stream('/', { topics: 'a' }) }

interface Scene extends Server { client: RawClient, connection: Connection, witness: Witness }

// A client that has read where it is, and then reads no more.
async function stall (t: Test, pastelli: PastelliOptions, options: ServerOptions = {}): Promise<Scene> {
  const server = await start(t, topics, { ...options, pastelli })
  const witness = new Witness(server.app)
  const client = (await connect(t, server.port, { tls: options.tls === true })).get('/')
  await client.until('id: ')
  client.pause()
  return { ...server, client, connection: await witness.open(), witness }
}

// Publishes `n payload` for each n; answers how much was queued for the connection at most.
async function publish ({ topics }: FastifyInstance, from: number, to: number, connection?: Connection): Promise<number> {
  let most = 0
  for (let n = from; n <= to; n++) {
    topics.publish('a', `${n} ${PAYLOAD}`)
    if (n % 5 !== 0) continue
    await turn()
    most = Math.max(most, connection?.queued ?? 0)
  }
  return most
}

interface Seen { numbers: number[], gaps: Array<{ reason: string, from: string, to: string }>, lastId: string }

function seenBy (client: RawClient): Seen {
  const body = client.response.body.toString()
  return {
    numbers: [...body.matchAll(/^data: (\d+) /gm)].map(([, n]) => Number(n)),
    gaps: [...body.matchAll(/^event: gap\nid: .*\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data as string)),
    lastId: [...body.matchAll(/^id: (.*)\n/gm)].at(-1)?.[1] as string
  }
}

function range (from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

for (const [protocol, options] of Object.entries({ 'HTTP/1.1': {}, TLS: { tls: true } })) {
  t.test(`${protocol}: a client that reads again within the retention misses nothing, and little was queued for it`, async (t) => {
    const { app, client, connection } = await stall(t, { log: memoryLog({ events: 10_000, bytes: 100_000_000 }) }, options)
    const most = await publish(app, 1, MANY, connection)
    t.ok(most > 0 && most <= MAX_QUEUED, `${most} bytes were queued at most`)
    t.ok(connection.bytes < MANY * PAYLOAD.length * 0.7, 'most of it waits in the log')
    client.resume()
    await publish(app, MANY + 1, MANY + 20)
    await client.until(`data: ${MANY + 20} `)
    t.same(seenBy(client), { numbers: range(1, MANY + 20), gaps: [], lastId: app.topics.position })
    t.equal(connection.phase, 'open')
  })

  t.test(`${protocol}: trimmed behind it, the stream is cut with overflow; its client comes back and is told of the gap`, async (t) => {
    const { app, client, witness, port } = await stall(t, { log: memoryLog({ events: 20 }) }, options)
    await publish(app, 1, MANY)
    await witness.sees(t, 'overflow')
    t.equal(app.topics.subscribers('a'), 0)
    client.resume()
    await client.ended()
    const { numbers, lastId } = seenBy(client)
    t.same(numbers, range(1, numbers.length), 'what it has is a contiguous run')
    const again = (await connect(t, port, { tls: options['tls' as never] === true })).get('/', { 'Last-Event-ID': lastId })
    await again.until('event: gap')
    await publish(app, MANY + 1, MANY + 3)
    await again.until(`data: ${MANY + 3} `)
    const seen = seenBy(again)
    t.match(seen.gaps, [{ reason: 'trimmed', from: lastId, to: lastId.replace(/\d+$/, String(MANY)) }])
    t.same(seen.numbers, range(MANY + 1, MANY + 3))
  })

  t.test(`${protocol}: with overflow: 'skip' it is told of the gap and goes on`, async (t) => {
    const { app, client, connection } = await stall(t, { log: memoryLog({ events: 20 }), overflow: 'skip' }, options)
    await publish(app, 1, MANY)
    client.resume()
    await client.until('event: gap')
    await publish(app, MANY + 1, MANY + 10)
    await client.until(`data: ${MANY + 10} `)
    t.equal(connection.phase, 'open')
    const { numbers, gaps, lastId } = seenBy(client)
    t.equal(gaps.length, 1)
    t.match(gaps[0], { reason: 'overflow' })
    const [from, to] = [gaps[0]?.from, gaps[0]?.to].map((position) => Number(position?.split(':')[1])) as [number, number]
    t.ok(from < to && to >= MANY - 20, `from ${from} to ${to}`)
    t.same(numbers, [...range(1, from), ...range(to + 1, MANY + 10)], 'everything but the gap')
    t.equal(lastId, app.topics.position)
  })
}

t.test('the gap begins where the client was told that it is, also if that was on the way of other topics', async (t) => {
  const { app, client, connection } = await stall(t, { log: memoryLog({ events: 1 }), overflow: 'skip', heartbeat: 20 })
  client.resume()
  for (let n = 1; n <= 5; n++) app.topics.publish('other', n)
  const told = app.topics.position
  await client.until(`: heartbeat\nid: ${told}\n`)
  connection.chunk('data: half ')   // nothing may come in between
  app.topics.publish('a', '1')
  app.topics.publish('other', 6)
  await turn()
  connection.chunk('of it\n\n')
  await client.until('event: gap')
  t.same(seenBy(client).gaps, [{ reason: 'overflow', from: told, to: app.topics.position }])
})

t.test('cut while the log still has what it missed, a stalled client loses nothing', async (t) => {
  const { app, client, connection, port, witness } = await stall(t, { log: memoryLog({ events: 10_000, bytes: 100_000_000 }) })
  await publish(app, 1, MANY)
  connection.destroy('overflow')
  await witness.sees(t, 'overflow')
  client.resume()
  await client.ended()
  const { numbers, lastId } = seenBy(client)
  t.same(numbers, range(1, numbers.length))
  const again = (await connect(t, port)).get('/', { 'Last-Event-ID': lastId })
  await again.until(`data: ${MANY} `)
  t.same(seenBy(again), { numbers: range(numbers.length + 1, MANY), gaps: [], lastId: app.topics.position })
})

t.test('it is cut however long it has been stalled, also by what is published after a heartbeat\'s time', async (t) => {
  const { app, connection, witness } = await stall(t, { log: memoryLog({ events: 2_000, bytes: 100_000_000 }), heartbeat: 20 })
  await publish(app, 1, MANY)
  const other = await subscribe(t, `http://127.0.0.1:${(app.server.address() as { port: number }).port}`, '/')
  await other.until('heartbeat')
  t.equal(connection.phase, 'open', 'all that it misses is still there')
  other.leave()
  await until(() => app.connections.size === 1)
  for (let n = 0; n < 2_000; n++) app.topics.publish('a', n)
  await until(() => connection.phase === 'closed')
  t.same(witness.closed.map(({ reason }) => reason), ['client', 'overflow'])
})

t.test('a client that is far behind does not hold up the others, nor cost them a write', async (t) => {
  const { app, port, client, connection } = await stall(t, { log: memoryLog({ events: 10_000, bytes: 100_000_000 }) })
  const healthy = (await connect(t, port)).get('/')
  await healthy.until('id: ')
  await publish(app, 1, 500, connection)
  await healthy.until('data: 500 ')
  t.same(seenBy(healthy).numbers, range(1, 500))
  client.resume()
  await client.until('data: 500 ')
  t.same(seenBy(client).numbers, range(1, 500))
})

t.test('a slow reader catches up with sips, while more is published, and is live in the end', async (t) => {
  const { app, client, connection } = await stall(t, { log: memoryLog({ events: 10_000, bytes: 100_000_000 }) })
  const most = [await publish(app, 1, MANY, connection)]
  const sips = setInterval(() => {
    client.resume()
    setImmediate(() => { client.pause() })
  }, 5)
  t.teardown(() => { clearInterval(sips) })
  most.push(await publish(app, MANY + 1, MANY + 200, connection))
  clearInterval(sips)
  await turn()   // the last sip's end
  client.resume()
  await client.until(`data: ${MANY + 200} `)
  t.same(seenBy(client).numbers, range(1, MANY + 200))
  t.ok(most[0] as number > 0 && Math.max(...most) <= MAX_QUEUED, `${most.join(', ')} bytes were queued at most`)
  app.topics.publish('a', 'live')
  await client.until('data: live')
})

t.test('a client that leaves while it is behind is gone at once', async (t) => {
  const { app, client, witness } = await stall(t, { log: memoryLog({ events: 10_000, bytes: 100_000_000 }) })
  await publish(app, 1, MANY)
  client.reset()
  await witness.sees(t, 'client')
  t.equal(app.topics.subscribers('a'), 0)
})

t.test('direct events to a client that is behind are bounded as ever', async (t) => {
  const { app, connection, witness } = await stall(t, { log: memoryLog({ events: 10_000, bytes: 100_000_000 }), maxBuffered: 200_000 })
  await publish(app, 1, MANY)
  for (let i = 0; i < 100 && connection.phase === 'open'; i++) connection.event(PAYLOAD)
  await witness.sees(t, 'overflow')
})

t.test('what the app sends or subscribes brings no more of the log to a client that has not taken the last of it', async (t) => {
  const { app, connection } = await stall(t, { log: memoryLog({ events: 10_000, bytes: 100_000_000 }) })
  await publish(app, 1, MANY)
  const { bytes } = connection
  for (let i = 0; i < 10; i++) {
    connection.event('e')
    connection.comment('c')
    connection.chunk('data: c\n\n')
    connection.subscribe(`topic ${i}`)
    await turn()
  }
  t.equal(connection.bytes - bytes, 10 * (9 + 5 + 9))
})

t.test('a topic subscribed while the client is behind joins in its place', async (t) => {
  const { app, client, connection } = await stall(t, { log: memoryLog({ events: 10_000, bytes: 100_000_000 }) })
  await publish(app, 1, MANY)
  connection.subscribe('b')
  app.topics.publish('b', '-1 of b')
  app.topics.publish('a', '-1 of a')
  client.resume()
  await client.until('of a')
  const body = client.response.body.toString()
  t.ok(body.indexOf(`data: ${MANY} `) < body.indexOf('of b') && body.indexOf('of b') < body.indexOf('of a'))
  t.same(seenBy(client).numbers, range(1, MANY))
})

t.test('trimmed while it was held, a stream is cut with overflow, or told of the gap', async (t) => {
  for (const overflow of ['disconnect', 'skip'] as const) {
    let answer: (() => void) | undefined
    const canSubscribe = (): boolean | Promise<boolean> => answer === undefined || new Promise((resolve) => { answer = () => { resolve(true) } })
    const { app, client, connection } = await stall(t, { log: memoryLog({ events: 20 }), overflow, canSubscribe })
    client.resume()
    await publish(app, 1, 3)
    await client.until('data: 3 ')
    answer = () => {}
    const done = app.topics.reauthorize()
    await publish(app, 4, 50)
    answer()
    await done
    if (overflow === 'disconnect') {
      t.equal(await connection.closed, 'overflow')
    } else {
      await client.until('event: gap')
      await publish(app, 51, 52)
      await client.until('data: 52 ')
      t.match(seenBy(client), { numbers: [1, 2, 3, 51, 52], gaps: [{ reason: 'overflow' }] })
    }
  }
})
