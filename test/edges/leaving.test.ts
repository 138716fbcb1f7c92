/** Clients of HTTP/1 that leave at the worst moment, alone and in storms: what was theirs is given back. */
import net from 'node:net'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { edge } from '../support/edge.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const REQUEST = 'POST /live HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'

const setup = (app: FastifyInstance) => {
  app.stream('/live', { method: ['GET', 'POST'] }, (_request, reply) => { reply.event('hello') })
  app.stream('/late', async (_request, reply) => {
    await new Promise(setImmediate)
    reply.event('hello')
  })
  app.stream('/finite', async function * () {
    for (let n = 0; n < 3; n++) {
      await new Promise(setImmediate)
      yield n
    }
  })
}

for (const tls of [false, true]) {
  for (const way of ['halfClose', 'leave', 'reset'] as const) {
    await t.test(`a client that leaves (${way}) after any byte of its request, ${tls ? 'over TLS' : 'over TCP'}`, async (t) => {
      const { app, port, witness, leavesNothing } = await edge(t, setup, { tls, places: REQUEST.length })
      let sockets = 0
      app.server.on(tls ? 'secureConnection' : 'connection', () => { sockets++ })
      await Promise.all(Array.from({ length: REQUEST.length }, async (_, sent) => {
        const client = (await connect(t, port, { tls })).write(REQUEST.slice(0, sent + 1))
        await until(() => client.socket.writableLength === 0, 'it is written')
        client[way]()
        await client.closed()
      }))
      await until(() => sockets === REQUEST.length, 'the server has had all of them')
      // Who resets behind the last byte may be gone before it is read.
      await until(() => witness.closed.length === witness.opened.length)
      t.ok(witness.opened.length <= 1)
      await leavesNothing(...witness.opened.map(() => 'client' as const))
    })
  }
}

await t.test('a client that closes its half in the segment of its request gets what is there at once, and nothing later', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  const live = await connect(t, port)
  live.socket.end('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await live.closed()
  await witness.seesEach(t, ['client'])
  t.notOk(live.response.complete)
  for (const path of ['/late', '/finite']) {
    const client = await connect(t, port)
    client.socket.end(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await client.closed()
    t.notOk(client.response.complete, path)
  }
  // These may have ended before they opened; where not, it was the client.
  await until(() => witness.closed.length === witness.opened.length)
  await leavesNothing(...witness.opened.map(() => 'client' as const))
})

await t.test('RST right behind the head', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  for (const [nth, path] of ['/live', '/late', '/finite', '/live'].entries()) {
    const client = (await connect(t, port)).get(path)
    await client.head()
    client.reset()
    await until(() => witness.closed.length === nth + 1)
  }
  const { reasons } = witness
  t.same([reasons[0], reasons[1], reasons[3]], ['client', 'client', 'client'])
  t.ok(['client', 'server'].includes(String(reasons[2])), 'one that ends by itself may have been done')
  await leavesNothing(...reasons)
})

await t.test('a storm of resets, at every stage of a stream: each that opened closes once, and nothing is left', async (t) => {
  const STORM = 300
  const { app, port, witness, leavesNothing } = await edge(t, setup, { places: STORM })
  let arrived = 0
  app.server.on('connection', () => { arrived++ })
  let gone = 0
  for (let nth = 0; nth < STORM; nth++) {
    const socket = net.connect({ host: '127.0.0.1', port })
    t.teardown(() => { socket.destroy() })
    socket.on('error', () => {}).on('close', () => { gone++ })
    socket.on('connect', () => {
      if (nth % 4 === 0) {
        socket.resetAndDestroy()
        return
      }
      socket.write(`GET ${nth % 2 === 0 ? '/live' : '/late'} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(1 + nth % 3), () => { if (nth % 4 === 1) socket.resetAndDestroy() })
      socket.on('data', () => { socket.resetAndDestroy() })
    })
    if (nth % 50 === 49) await until(() => gone > nth - 50, 'the storm goes on')
  }
  await until(() => gone === STORM && arrived === STORM, 'the storm is over')
  await until(() => witness.closed.length === witness.opened.length)
  t.ok(witness.opened.length >= STORM / 4, `${witness.opened.length} streams opened`)
  await leavesNothing(...witness.opened.map(() => 'client' as const))
})
