/** Upgrades to what is no WebSocket: refused, and their sockets closed, whoever it is that answers. */
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { edge } from '../support/edge.ts'
import { connect } from '../support/socket.ts'

const UPGRADE = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const ORIGIN = 'Origin: http://example.com\r\n'

const setup = (app: FastifyInstance) => {
  app.stream('/', { websocket: { init: () => {} } }, (_request, reply) => { reply.event('hello') })
}

for (const tls of [false, true]) {
  await t.test(`a path that is none is answered, and its socket is closed, ${tls ? 'over TLS' : 'over TCP'}`, async (t) => {
    const { port, leavesNothing } = await edge(t, setup, { tls })
    for (const [path, status] of [['/%zz', 400], ['/%', 400], ['http://', 400], ['http:///', 400], ['//', 404], ['/nowhere', 404]] as const) {
      const client = (await connect(t, port, { tls })).write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`)
      t.equal((await client.answer()).status, status, path)
      await client.closed()
    }
    await leavesNothing()
  })
}

await t.test('a Host that is missing or malformed is that of no page', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  for (const host of ['', 'Host:\r\n', 'Host: %%%\r\n', 'Host: [\r\n', 'Host: a b\r\n', 'Host: :::\r\n', 'Host: localhost\r\nHost: example.com\r\n']) {
    const client = (await connect(t, port)).write(`GET / HTTP/1.1\r\n${host}${ORIGIN}${UPGRADE}\r\n`)
    t.equal((await client.answer()).status, 403, host)
    await client.closed()
  }
  await leavesNothing()
})

await t.test('an Origin that is malformed is that of no page either', async (t) => {
  const { port, leavesNothing } = await edge(t, setup)
  for (const origin of ['', 'null', '%%%', 'http://', 'http://localhost:x', 'http://localhost, http://localhost', 'http://[']) {
    const client = (await connect(t, port)).write(`GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\n${UPGRADE}\r\n`)
    t.equal((await client.answer()).status, 403, origin)
    await client.closed()
  }
  await leavesNothing()
})

await t.test('other methods, and requests that are incomplete, are no upgrade to a WebSocket', async (t) => {
  const { port, witness, leavesNothing } = await edge(t, setup)
  const asks: Array<[what: string, request: string, status: number]> = [
    ['POST', `POST / HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`, 404],
    ['HEAD', `HEAD / HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`, 200],
    ['another version of the protocol', `GET / HTTP/1.1\r\nHost: localhost\r\n${UPGRADE.replace('13', '99')}\r\n`, 400],
    ['without its key', `GET / HTTP/1.1\r\nHost: localhost\r\n${UPGRADE.replace(/Sec-WebSocket-Key.*\r\n/, '')}\r\n`, 400]
  ]
  for (const [what, request, status] of asks) {
    const client = (await connect(t, port)).write(request)
    t.equal((await client.head()).status, status, what)
    await client.closed()
  }
  t.equal(witness.opened.length, 0)
  await leavesNothing()
})

await t.test('one that leaves as soon as it has asked', async (t) => {
  const { app, port, witness, leavesNothing } = await edge(t, setup)
  for (const way of ['halfClose', 'leave', 'reset'] as const) {
    const arrived = once(app.server, 'upgrade')
    const client = (await connect(t, port)).write(`GET / HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`)
    await arrived
    client[way]()
    await client.closed()
  }
  await leavesNothing(...witness.opened.map(() => 'client' as const))
})
