/** A client that comes back: behind what it has, over every fault of the network, by both transports. */
import t from 'tap'
import type { ConnectOptions, WebSocketLike } from '../../client/index.ts'
import { webSocket } from '../../client/websocket.ts'
import { open, overWebSocket } from '../support/client.ts'
import { spawnServer } from '../support/counting.ts'
import { openGate } from '../support/gate.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const TRANSPORTS: Array<[name: string, options: ConnectOptions]> = [['fetch', {}], ['WebSocket', overWebSocket]]

for (const [name, options] of TRANSPORTS) {
  await t.test(`a cut by ${name} costs no event and doubles none`, async (t) => {
    const server = await start(t, (app) => { app.stream('/', { topics: 'numbers', websocket: {} }) })
    const gate = await openGate(t, server.port)
    const client = open(t, gate.origin, options)
    await client.becomes('open')
    await until(() => server.app.topics.subscribers('numbers') === 1)
    const all: number[] = []
    for (let n = 0; n < 300; n++) {
      server.app.topics.publish('numbers', n)
      all.push(n)
      if (n % 100 === 50) {
        await until(() => client.seen.length > 0)
        gate.cut()
      }
      if (n % 20 === 0) await new Promise(setImmediate)
    }
    await client.sees(...all)
    t.ok(gate.count > 1, `${gate.count} connections`)
    t.equal(client.stream.lastEventId, server.app.topics.position)
  })

  await t.test(`a client that saw nothing yet misses nothing that is published while its ${name} is cut`, async (t) => {
    const server = await start(t, (app) => { app.stream('/', { topics: 'a', websocket: {} }) })
    const gate = await openGate(t, server.port)
    const client = open(t, gate.origin, options)
    await until(() => client.stream.lastEventId)
    gate.shut()
    server.app.topics.publish('a', 'while it was away')
    await client.becomes('waiting')
    gate.shut(false)
    await client.sees('while it was away')
  })

  await t.test(`a server that is killed and comes back at the same port tells the gap, by ${name}`, async (t) => {
    const first = await spawnServer(t)
    const gaps: unknown[] = []
    const client = open(t, `http://127.0.0.1:${first.port}/`, { ...options, onGap: (gap) => { gaps.push(gap) } })
    await until(() => client.seen.length > 3)
    const from = client.stream.lastEventId
    await first.kill('SIGKILL')
    const detail = await client.becomes('waiting')
    t.ok(detail.error instanceof Error)
    t.type(detail.delay, 'number')
    const before = client.seen.length
    await spawnServer(t, first.port)
    await until(() => client.seen.length > before + 3)
    t.match(gaps, [{ reason: 'foreign', to: String }])
    t.match(from, /^[\w.-]+:\d+$/)
    t.equal(client.seen[before], 0, 'it starts anew there')
  })

  await t.test(`a frozen server is found by its silence, by ${name}, and nothing is missed when it thaws`, async (t) => {
    const server = await spawnServer(t)
    const client = open(t, `http://127.0.0.1:${server.port}/`, { ...options, heartbeatTimeout: 200 })
    await until(() => client.seen.length > 3)
    void server.kill('SIGSTOP')
    t.match(await client.becomes('waiting'), { error: { code: 'PST_ERR_SILENT' } })
    t.match(await client.becomes('waiting', 2), { error: { code: 'PST_ERR_SILENT' } }, 'one that does not even answer, too')
    void server.kill('SIGCONT')
    const frozen = client.seen.length
    await until(() => client.seen.length > frozen + 3)
    t.same(client.seen, client.seen.map((_, n) => n + (client.seen[0] as number)))
  })

  await t.test(`heartbeats are signs of life, by ${name}`, async (t) => {
    const server = await start(t, (app) => { app.stream('/', { topics: 'a', heartbeat: 50, websocket: {} }) })
    const witness = new Witness(server.app)
    const client = open(t, server.origin, { ...options, heartbeatTimeout: 400 })
    const connection = await witness.open()
    await until(() => performance.now() - connection.openedAt > 1_000 || Date.now() - connection.openedAt > 1_000)
    t.same(client.states, ['connecting', 'open'])
  })

  await t.test(`at shutdown the server says when to come back, by ${name}`, async (t) => {
    const server = await start(t, (app) => { app.stream('/', { topics: 'a', websocket: {} }) })
    const client = open(t, server.origin, options)
    await until(() => client.stream.lastEventId)
    await server.app.close()
    await client.becomes('waiting')
    await client.becomes('waiting', 2)
    t.pass('it is asked again, though nobody listens')
    client.stream.close()
    t.equal(client.stream.state, 'closed')
  })
}

await t.test('a WebSocket that fails without a close, as Node\'s may, is asked for again', async (t) => {
  let asked = 0
  class Failing implements WebSocketLike {
    binaryType = 'blob'
    onopen = null
    onmessage = null
    onclose = null
    onerror: WebSocketLike['onerror'] = null
    constructor () {
      asked++
      setImmediate(() => { this.onerror?.(undefined as never) })
    }

    close (): void {}
  }
  const client = open(t, 'ws://127.0.0.1', { transport: webSocket, WebSocket: Failing })
  t.match(await client.becomes('waiting'), { error: { code: 'PST_ERR_CUT', closeCode: 1006 } })
  await until(() => asked > 1)
})
