/** Slow clients, clients that are not there any more, and old ones: the same policies as for streams. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Connection, memoryLog, type PastelliOptions, type WebSocketHandler } from '../../index.ts'
import { frame, OPCODES, upgrade } from '../support/raw-web-socket.ts'
import { type Server, start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { dial, type SocketClient } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

interface Scene extends Server { witness: Witness }

async function serve (t: Test, options: PastelliOptions, handler: WebSocketHandler = {}, tls = false): Promise<Scene> {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a', websocket: handler }) }, { pastelli: options, tls })
  return { ...server, witness: new Witness(server.app) }
}

async function stall (t: Test, scene: Scene): Promise<{ socket: SocketClient, connection: Connection }> {
  const socket = await dial(t, scene, '/')
  socket.ws.pause()
  return { socket, connection: await scene.witness.open() }
}

await t.test('a quiet client is asked for a sign of life, and lives as long as it gives one', async (t) => {
  const { witness, origin } = await serve(t, { heartbeat: 100 })
  const socket = await dial(t, { origin }, '/')
  let pings = 0
  socket.ws.on('ping', () => { pings++ })
  await until(() => pings === 5)
  const connection = await witness.open()
  t.equal(connection.reason, null)
  await until(() => socket.waiting.length >= 3, 'it is told its position again')
  t.equal(new Set(socket.waiting).size, 1)
})

await t.test('a client that is frozen is found out, also while it is sent things', async (t) => {
  const { witness, port, app } = await serve(t, { heartbeat: 200 })
  const client = spawn(process.execPath, ['-e', `new (require('ws'))('ws://127.0.0.1:${port}/').on('ping', () => console.log('ping'))`])
  t.teardown(() => { client.kill('SIGKILL') })
  await once(client.stdout, 'data')
  const connection = await witness.open()
  t.equal(connection.reason, null)
  client.kill('SIGSTOP')
  const publishing = setInterval(() => { app.topics.publish('a', 'are you there?') }, 20)
  const began = performance.now()
  await witness.sees(t, 'timeout')
  clearInterval(publishing)
  t.ok(performance.now() - began < 2_000, 'within a few intervals')
})

await t.test('a client that answers no ping but says something is there', async (t) => {
  const { witness, port } = await serve(t, { heartbeat: 100, maxAge: 1_000 })
  const socket = await upgrade(t, port)
  const talking = setInterval(() => { socket.text('here') }, 20)
  await until(() => witness.closed.length === 1)
  clearInterval(talking)
  t.notOk(socket.frames.some(({ opcode }) => opcode === OPCODES.ping), 'so it is not asked')
  await witness.sees(t, 'expired')
})

await t.test('one that says nothing at all is asked, and given up an interval later', async (t) => {
  const { witness, port } = await serve(t, { heartbeat: 100 })
  const socket = await upgrade(t, port)
  await witness.sees(t, 'timeout')
  t.equal(socket.frames.filter(({ opcode }) => opcode === OPCODES.ping).length, 1)
})

await t.test('a process that was busy reads what has come before it gives anybody up', async (t) => {
  const { witness, origin } = await serve(t, { heartbeat: 100 })
  const socket = await dial(t, { origin }, '/')
  const connection = await witness.open()
  let pings = 0
  socket.ws.on('ping', () => {
    pings++
    for (const end = performance.now() + 300; performance.now() < end;);   // before the answer is sent, and read
  })
  await until(() => pings === 4)
  t.equal(connection.reason, null)
})

await t.test('without heartbeats nobody is asked', async (t) => {
  const { witness, port } = await serve(t, { heartbeat: 0, maxAge: 500 })
  const socket = await upgrade(t, port)
  await until(() => socket.code === 1008)
  t.notOk(socket.frames.some(({ opcode }) => opcode === OPCODES.ping))
  socket.client.halfClose()
  await witness.sees(t, 'expired')
})

await t.test('a visible heartbeat is an event', async (t) => {
  const { origin } = await serve(t, { heartbeat: 50, heartbeatEvent: 'tick' })
  const socket = await dial(t, { origin }, '/')
  const { id } = await socket.next() as { id: string }
  t.same(await socket.next(), { id, event: 'tick', data: '' })
})

await t.test('a client whose messages wait for their handler is not read from, and not given up', async (t) => {
  const handled: number[] = []
  let open = () => {}
  const gate = new Promise<void>((resolve) => { open = resolve })
  const { witness, origin } = await serve(t, { heartbeat: 50 }, {
    handle: async (message) => {
      await gate
      handled.push(Number(String(message).split(' ')[0]))
    }
  })
  const socket = await dial(t, { origin }, '/')
  const connection = await witness.open()
  const COUNT = 20_000
  for (let n = 0; n < COUNT; n++) socket.send(`${n} ${'x'.repeat(1_000)}`)
  const began = performance.now()
  await until(() => socket.ws.bufferedAmount > 1_000_000 && performance.now() - began > 500, 'what it sends stays with it')
  t.equal(connection.reason, null)
  open()
  await until(() => handled.length === COUNT)
  t.same(handled, Array.from({ length: COUNT }, (_, n) => n))
})

await t.test('more infos than may wait cut the connection with overflow', async (t) => {
  const { witness, origin } = await serve(t, {}, { info: () => new Promise(() => {}) })
  const socket = await dial(t, { origin }, '/')
  const connection = await witness.open()
  let taken = 0
  while (connection.info(taken)) taken++
  t.equal(taken, 1_025, 'one runs, 1,024 wait')
  t.equal((await socket.closed).code, 1013)
  await witness.sees(t, 'overflow')
})

await t.test('sends wait for room, and are released by the end', async (t) => {
  const scene = await serve(t, { highWaterMark: 100_000, maxBuffered: 400_000 })
  const { connection } = await stall(t, scene)
  let sent: boolean | Promise<boolean> = true
  await until(() => {
    if (sent === true) sent = connection.event('x'.repeat(50_000))
    return sent !== true && connection.queued > 100_000
  })
  connection.destroy()
  t.equal(await sent, false)
  await scene.witness.sees(t, 'server')
})

await t.test('a client that reads again gets everything, and room comes back', async (t) => {
  const scene = await serve(t, {})
  const { socket, connection } = await stall(t, scene)
  let count = 0
  let sent: boolean | Promise<boolean> = true
  while (connection.queued < 200_000) {
    sent = connection.chunk(count % 2 === 0 ? `${count} ${'ü'.repeat(20_000)}` : Buffer.alloc(40_000, count))
    count++
    if (sent !== true) await Promise.race([sent, delay(5)])
  }
  socket.ws.resume()
  t.equal(await sent, true)
  await socket.raw()   // its position
  for (let n = 0; n < count; n++) {
    const message = await socket.raw()
    if (n % 2 === 0) t.equal(message, `${n} ${'ü'.repeat(20_000)}`)
    else t.ok((message as Buffer).equals(Buffer.alloc(40_000, n)))
  }
})

await t.test('more than maxBuffered cuts with overflow', async (t) => {
  const scene = await serve(t, { maxBuffered: 200_000 })
  const { connection } = await stall(t, scene)
  while (connection.reason === null) {
    void connection.event('x'.repeat(100_000))
    await new Promise(setImmediate)
  }
  await scene.witness.sees(t, 'overflow')
})

await t.test('a client that takes nothing of what waits is cut with timeout', async (t) => {
  const scene = await serve(t, { writeTimeout: 300, maxBuffered: 100_000_000 })
  const { connection } = await stall(t, scene)
  await until(() => {
    if (connection.queued < 1_000_000) void connection.event('x'.repeat(1_000_000))
    return connection.reason
  })
  await scene.witness.sees(t, 'timeout')
})

for (const tls of [false, true]) {
  await t.test(`a slow subscriber ${tls ? 'over TLS ' : ''}catches up from the log, and misses nothing`, async (t) => {
    const scene = await serve(t, { log: memoryLog({ bytes: 64 * 2 ** 20, events: 100_000 }) }, {}, tls)
    const { socket } = await stall(t, scene)
    const fast = await dial(t, scene, '/')
    const COUNT = 3_000
    for (let n = 0; n < COUNT; n++) {
      scene.app.topics.publish('a', { n, pad: 'é'.repeat(2_000) })
      if (n % 50 === 0) await new Promise(setImmediate)
    }
    await until(() => fast.waiting.length === COUNT + 1, 'others do not wait for it')
    socket.ws.resume()
    await until(() => socket.waiting.length === COUNT + 1)
    t.same(socket.waiting, fast.waiting)
    t.same(socket.waiting.slice(1).map((text) => (JSON.parse(String(text)) as { data: { n: number } }).data.n), Array.from({ length: COUNT }, (_, n) => n))
  })
}

await t.test('what the server answers to pings never comes to lie within a message', async (t) => {
  const { witness, port } = await serve(t, {})
  const socket = await upgrade(t, port)
  const connection = await witness.open()
  socket.client.pause()
  for (let n = 0; n < 40; n++) {
    void connection.chunk('x'.repeat(200_000))
    socket.send(...Array.from({ length: 50 }, () => frame(OPCODES.ping, 'in between')))
    await new Promise(setImmediate)
    if (n === 3) socket.client.resume()
    await until(() => connection.queued < 500_000 || n < 3)
  }
  const count = (opcode: number) => socket.frames.filter((one) => one.opcode === opcode).length
  await socket.until(() => count(OPCODES.pong) === 2_000 && count(OPCODES.text) === 41)
  for (const { opcode, payload } of socket.frames.slice(1)) t.equal(payload.toString(), opcode === OPCODES.pong ? 'in between' : 'x'.repeat(200_000))
})

await t.test('a cut is told from an end: by the code where it is the server\'s fault, and by none else', async (t) => {
  const ends: Array<[end: (connection: Connection) => void, code: number]> = [
    [(connection) => { connection.destroy() }, 1006],
    [(connection) => { connection.destroy('error') }, 1011],
    [(connection) => { connection.link(AbortSignal.abort()) }, 1011],
    [(connection) => { connection.close('error') }, 1011],
    [(connection) => { connection.close('overflow') }, 1013],
    [(connection) => { connection.close('timeout') }, 3008],
    [(connection) => { connection.close('client') }, 1000]
  ]
  const { witness, origin } = await serve(t, {})
  for (const [n, [end, code]] of ends.entries()) {
    const socket = await dial(t, { origin }, '/')
    const connection = await witness.open(n)
    await socket.next()
    end(connection)
    t.equal((await socket.closed).code, code)
  }
})

await t.test('what is sent when the client has begun to close ends the connection with the reason client', async (t) => {
  const { witness, port } = await serve(t, {})
  const socket = await upgrade(t, port)
  const connection = await witness.open()
  socket.send(frame(OPCODES.close, ''))
  await socket.until(() => socket.code !== undefined)
  await until(() => connection.event('too late') === false)
  await witness.sees(t, 'client')
  t.notMatch(socket.texts.join(), 'too late')
})
