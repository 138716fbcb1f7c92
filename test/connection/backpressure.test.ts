/** A client that does not read costs a bounded queue, and nobody waits for one that has gone. */
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Connection, PastelliOptions } from '../../index.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { start, type Server } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

interface Scene extends Server { client: RawClient, connection: Connection, witness: Witness }

async function open (t: Test, options: PastelliOptions = {}): Promise<Scene> {
  const server = await start(t, (app) => {
    app.stream('/', () => {})
  }, { pastelli: options })
  const witness = new Witness(server.app)
  const client = (await connect(t, server.port)).get('/')
  return { ...server, client, connection: await witness.open(), witness }
}

// Sends until there is no room, beyond what the two sockets hold; in an object, since a promise would be awaited.
async function fill (connection: Connection): Promise<{ sent: Promise<boolean> }> {
  for (;;) {
    const sent = connection.event('x'.repeat(10_000))
    if (typeof sent !== 'boolean' && await Promise.race([sent.then(() => false), delay(100, true)])) return { sent }
    await new Promise(setImmediate)
  }
}

await t.test('sends answer true at once while no more than highWaterMark is queued', async (t) => {
  const { connection } = await open(t, { highWaterMark: 1_000 })
  t.equal(connection.chunk('x'.repeat(1_000)), true)
  t.equal(connection.queued, 1_000, 'what is gathered counts')
  const sent = connection.chunk('x')
  t.type(sent, Promise)
  t.equal(await sent, true)
  t.equal(connection.queued, 0)
})

await t.test('a client that leaves while the sender waits for room releases the sender', async (t) => {
  const { client, connection, witness } = await open(t)
  client.pause()
  const { sent } = await fill(connection)
  client.reset()
  t.equal(await sent, false)
  await witness.sees(t, 'client')
})

await t.test('a client that reads again brings room back', async (t) => {
  const { client, connection } = await open(t)
  client.pause()
  const { sent } = await fill(connection)
  client.resume()
  t.equal(await sent, true)
  t.equal(connection.phase, 'open')
})

await t.test('closing releases a sender that waits', async (t) => {
  const { client, connection, witness } = await open(t)
  client.pause()
  const { sent } = await fill(connection)
  connection.close()
  t.equal(await sent, false)
  t.equal(connection.phase, 'closing')
  client.resume()
  await client.until((response) => response.complete)
  await witness.sees(t, 'server')
})

await t.test('what nobody awaits is bounded: past maxBuffered the connection is cut with overflow', async (t) => {
  const { client, connection, witness } = await open(t, { maxBuffered: 200_000 })
  client.pause()
  await fill(connection)
  let most = 0
  for (let i = 0; connection.phase === 'open' && i < 1_000; i++) {
    void connection.event('x'.repeat(10_000))
    most = Math.max(most, connection.queued)
  }
  await witness.sees(t, 'overflow')
  t.ok(most > 200_000 && most <= 200_000 + 10_008, `${most} bytes were queued at most`)
})

await t.test('one large event is not an overflow', async (t) => {
  const { client, connection } = await open(t)
  const text = 'ä'.repeat(5_000_000)
  const sent = connection.event(text)
  t.type(sent, Promise)
  t.equal(await sent, true)
  connection.close()
  await client.until((response) => response.complete)
  t.ok(client.response.body.toString().endsWith(`data: ${text}\n\n`))
})

await t.test('one large event is none either for a subscriber, who is told a position behind it', async (t) => {
  const text = 'x'.repeat(5_000_000)
  const { app, port } = await start(t, (app) => {
    app.stream('/', { topics: 'feed' }, (_request, reply) => { void reply.event(text) })
  })
  const client = (await connect(t, port)).get('/')
  await client.until(({ body }) => body.length > text.length && /\nid: .+\n\n$/.test(body.subarray(-100).toString()))
  t.ok(client.response.body.toString().startsWith(`data: ${text}\n\n`))
  t.equal(app.connections.size, 1)
})

await t.test('a handler may send more than maxBuffered in its one tick, before the take-over, to a client that reads', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      for (let i = 0; i < 3_000; i++) void reply.event('x'.repeat(1_000))
      reply.closeChunk()
    })
  })
  const client = (await connect(t, port)).get('/')
  await client.until((response) => response.complete)
  t.equal(client.response.body.length, 3_000 * 1_008)
  await until(() => app.connections.counts.server === 1)
})

for (const topics of [[], ['feed']]) {
  await t.test(`what follows is written as ever: ${topics.length === 0 ? 'no topics' : 'topics'}`, async (t) => {
    const answers: Array<boolean | Promise<boolean>> = []
    const { app, port } = await start(t, (app) => {
      app.stream('/', { topics, maxBuffered: 1_000, highWaterMark: 1_000, heartbeat: 100 }, (_request, reply) => {
        for (const text of ['a', 'b', 'c', 'd']) answers.push(reply.event(text.repeat(600)))
        answers.push(reply.event('the last of this tick'))
      })
    })
    const witness = new Witness(app)
    const client = (await connect(t, port)).get('/')
    const connection = await witness.open()
    await client.until('the last of this tick')
    t.same(await Promise.all(answers), [true, true, true, true, true])
    connection.event('of a later tick')
    await client.until('of a later tick')
    for (let n = 0; n < 4; n++) t.equal(await connection.event(`awaited ${n}`), true)
    await client.until('awaited 3')
    await client.until(': heartbeat')
    t.equal(connection.queued, 0)
  })
}

await t.test('where a hook holds the take-over back, too much is an overflow, and logged', async (t) => {
  const { app, logged } = await start(t, (app) => {
    app.addHook('onSend', async () => { await delay(1) })
    app.stream('/', (_request, reply) => {
      let sent: boolean | Promise<boolean> = true
      for (let i = 0; sent !== false; i++) sent = reply.event('x'.repeat(1_000))
    })
  })
  await t.rejects(app.inject('/'))
  t.match(await logged('stream closed'), { reason: 'overflow' })
  t.equal(app.connections.counts.overflow, 0, 'the registry never knew it')
})

await t.test('text, Buffers and Uint8Arrays arrive in the order in which they were sent', async (t) => {
  const { client, connection } = await open(t)
  let expected = ''
  for (let i = 0; i < 300; i++) {
    const text = `<${i} é>`.repeat(i % 7 + 1)
    expected += text
    void connection.chunk(i % 3 === 0 ? Buffer.from(text) : i % 3 === 1 ? new TextEncoder().encode(text) : text)
    if (i % 50 === 0) await new Promise(setImmediate)
  }
  connection.close()
  await client.until((response) => response.complete)
  t.equal(client.response.body.toString(), ':\n\n' + expected)
  t.equal(connection.bytes, Buffer.byteLength(':\n\n' + expected), 'and are counted')
})

await t.test('what is sent in one tick leaves in one chunk', async (t) => {
  const { client, connection } = await open(t)
  await client.until(':\n\n')
  for (let i = 0; i < 10; i++) connection.event(i)
  await client.until('data: 9\n\n')
  t.equal(client.response.chunks.length, 2)
  t.equal(connection.events, 10)
})

// How much the loop does before the event loop has its turn: the most that any turn saw.
async function mostPerTurn (loop: (count: () => void) => Promise<void>): Promise<number> {
  let inThisTurn = 0
  let most = 0
  let running = true
  const turn = () => {
    most = Math.max(most, inThisTurn)
    inThisTurn = 0
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  await loop(() => { inThisTurn++ })
  running = false
  return most
}

function work (ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

await t.test('a connection that sends once a turn is written to at once, and gathers again when it sends more', async (t) => {
  const { client, connection } = await open(t)
  const turn = () => new Promise(setImmediate)
  for (let i = 0; i < 3; i++) {
    connection.event('alone')
    await turn()
    await turn()
  }
  const before = client.socket.bytesRead
  connection.event('at once')
  t.equal(connection.queued, 0)
  connection.event('gathered')
  t.equal(connection.queued, 16)
  await turn()
  await turn()
  connection.event('gathered')
  t.equal(connection.queued, 16)
  await client.until('gathered')
  t.ok(client.socket.bytesRead > before)
})

await t.test('a loop of awaited sends to a fast reader gives way after 64 KiB', async (t) => {
  const { client, connection } = await open(t)
  client.socket.removeAllListeners('data').resume()
  let ticks = 0
  const timer = setInterval(() => { ticks++ }, 1)
  const most = await mostPerTurn(async (count) => {
    for (let i = 0; i < 20_000; i++) {
      await connection.event('x'.repeat(92))   // 100 bytes
      count()
    }
  })
  clearInterval(timer)
  t.ok(most > 100 && most <= 660, `${most} events of 100 bytes in a turn`)
  t.ok(ticks > 5, 'timers run')
})

await t.test('a loop of awaited sends that works long on each gives way after 5 ms', async (t) => {
  const { client, connection } = await open(t)
  client.socket.removeAllListeners('data').resume()
  const most = await mostPerTurn(async (count) => {
    for (let i = 0; i < 50; i++) {
      work(2)
      await connection.event('x')
      count()
    }
  })
  t.ok(most <= 9, `${most} sends of 2 ms in a turn`)
})

await t.test('many loops at once share the 5 ms', async (t) => {
  const { port, app } = await start(t, (app) => { app.stream('/', () => {}) })
  const clients = await Promise.all(Array.from({ length: 30 }, async () => (await connect(t, port)).get('/')))
  for (const client of clients) client.socket.removeAllListeners('data').resume()
  await until(() => app.connections.size === 30)
  const most = await mostPerTurn(async (count) => {
    await Promise.all([...app.connections].map(async (connection) => {
      for (let i = 0; i < 10; i++) {
        work(1)
        await connection.event('x')
        count()
      }
    }))
  })
  // The first of each loop, and those that had their answer before the time was up.
  t.ok(most <= 80, `${most} of 300 sends of 1 ms in a turn`)
})

await t.test('a write that makes no progress before its deadline cuts with timeout', async (t) => {
  const { client, connection, witness } = await open(t, { writeTimeout: 200 })
  client.pause()
  const { sent } = await fill(connection)
  t.equal(await sent, false)
  await witness.sees(t, 'timeout')
})

await t.test('a slow client that does make progress is not cut', async (t) => {
  const { client, connection } = await open(t, { writeTimeout: 300 })
  client.pause()
  const { sent } = await fill(connection)
  const sips = setInterval(() => {
    client.resume()
    setImmediate(() => { client.pause() })
  }, 20)
  t.teardown(() => { clearInterval(sips) })
  t.equal(await sent, true)
  t.equal(connection.phase, 'open')
})

await t.test('a closed connection whose client does not take the rest is cut after `drain`', async (t) => {
  const { client, connection, witness } = await open(t, { drain: 200, writeTimeout: 0 })
  client.pause()
  await fill(connection)
  connection.close()
  t.equal(connection.phase, 'closing')
  await witness.sees(t, 'server')
})
