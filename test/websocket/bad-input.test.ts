/** What no client would send: each gets the right close code, ends with the reason `client`, and leaves nothing behind. */
import t, { type Test } from 'tap'
import { start, type Server } from '../support/server.ts'
import { closeFrame, frame, OPCODES, type RawWebSocket, upgrade } from '../support/raw-web-socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const { continuation, text, binary, close, ping, pong } = OPCODES

async function scene (t: Test, options: { drain?: number } = {}): Promise<Server & { socket: RawWebSocket, witness: Witness, got: Array<string | Buffer> }> {
  const got: Array<string | Buffer> = []
  const server = await start(t, (app) => {
    app.stream('/', { websocket: { maxPayload: 1_000, handle: (message) => { got.push(message) } } })
  }, { pastelli: { websocket: { maxPayload: 100_000 }, ...options } })
  const witness = new Witness(server.app)
  const socket = await upgrade(t, server.port)
  await witness.open()
  return { ...server, socket, witness, got }
}

const BAD: Array<[what: string, frames: Buffer[], code: number]> = [
  ['a frame that is not masked', [frame(text, 'x', { mask: false })], 1002],
  ['the first reserved bit, without compression', [frame(text, 'x', { reserved: 0x40 })], 1002],
  ['the second reserved bit', [frame(text, 'x', { reserved: 0x20 })], 1002],
  ['the third reserved bit', [frame(text, 'x', { reserved: 0x10 })], 1002],
  ['an opcode that does not exist', [frame(3, 'x')], 1002],
  ['a control opcode that does not exist', [frame(11, 'x')], 1002],
  ['a continuation of nothing', [frame(continuation, 'x')], 1002],
  ['a second message within a message', [frame(text, 'x', { fin: false }), frame(text, 'y')], 1002],
  ['a ping in pieces', [frame(ping, 'x', { fin: false })], 1002],
  ['a ping that is too long', [frame(ping, 'x'.repeat(126))], 1002],
  ['text that is no UTF-8', [frame(text, Buffer.from([0xc3, 0x28]))], 1007],
  ['text that ends within a character', [frame(text, Buffer.from([0xe2, 0x82]))], 1007],
  ['a character that goes wrong in a later piece', [frame(text, Buffer.from([0xe2]), { fin: false }), frame(continuation, Buffer.from([0x28]))], 1007],
  ['text that is too long for the route', [frame(text, 'x'.repeat(1_001))], 1009],
  ['bytes that are too long for the server', [frame(binary, 'x'.repeat(100_001))], 1009],
  ['pieces that are too long together', Array.from({ length: 11 }, (_, n) => frame(n === 0 ? text : continuation, 'x'.repeat(10_000), { fin: n === 10 })), 1009],
  ['a length that no memory has', [Buffer.from([0x82, 0xff, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])], 1009],
  ['a close frame of one byte', [frame(close, 'x')], 1002],
  ['a close code below 1000', [closeFrame(999)], 1002],
  ['a close code that nobody may send', [closeFrame(1005)], 1002],
  ['a close code that is not given out', [closeFrame(1016)], 1002],
  ['a close code above 4999', [closeFrame(5000)], 1002],
  ['a close reason that is no UTF-8', [closeFrame(1000, Buffer.from([0xff]))], 1007]
]

for (const [what, frames, code] of BAD) {
  await t.test(`${what} closes with ${code}`, async (t) => {
    const { socket, witness, noise, got, app } = await scene(t)
    socket.text('before').send(...frames)
    await socket.until(() => socket.code !== undefined)
    t.equal(socket.code, code)
    t.same(got, ['before'])
    socket.client.halfClose()
    await witness.sees(t, 'client')
    t.same(noise(), [], 'a client that does wrong is nothing to be alarmed at')
    await until(() => app.websocketServer.clients.size === 0)
  })
}

await t.test('every code that a client may close with is answered by the same, and ends with the reason client', async (t) => {
  for (const code of [1000, 1001, 1003, 1007, 1008, 1011, 1013, 3000, 4999]) {
    const { socket, witness } = await scene(t)
    socket.send(closeFrame(code, 'bye'))
    await socket.until(() => socket.code !== undefined)
    t.equal(socket.code, code)
    socket.client.halfClose()
    await witness.sees(t, 'client')
  }
})

await t.test('a close frame without a code is answered without one', async (t) => {
  const { socket, witness } = await scene(t)
  socket.send(frame(close, ''))
  await socket.until(() => socket.code !== undefined)
  t.equal(socket.code, 1005)
  socket.client.halfClose()
  await witness.sees(t, 'client')
})

await t.test('a message in pieces arrives whole, with control frames in between', async (t) => {
  const { socket, got } = await scene(t)
  const bytes = Buffer.from('ein Gruß')
  const pieces = [...bytes].map((byte, n) => frame(n === 0 ? text : continuation, Buffer.from([byte]), { fin: n === bytes.length - 1 }))
  for (const piece of pieces) socket.send(piece, frame(ping, 'still there?'), frame(pong, 'unasked'))
  await until(() => got.length === 1)
  t.same(got, ['ein Gruß'])
  await socket.until(() => socket.frames.length === pieces.length)
  for (const { opcode, payload } of socket.frames) t.same([opcode, payload.toString()], [pong, 'still there?'])
})

await t.test('a client that breaks off, by FIN, by RST or in the middle of a frame, ends with the reason client', async (t) => {
  const ends: Array<(socket: RawWebSocket) => unknown> = [
    ({ client }) => client.halfClose(),
    ({ client }) => client.leave(),
    ({ client }) => client.reset(),
    (socket) => socket.send(frame(text, 'never whole').subarray(0, 5)).client.halfClose()
  ]
  for (const end of ends) {
    const { socket, witness, noise, app } = await scene(t)
    end(socket)
    await witness.sees(t, 'client')
    t.same(noise(), [])
    await until(() => app.websocketServer.clients.size === 0)
  }
})

await t.test('a client that does not answer the close frame is cut after the drain time, with the reason that there was', async (t) => {
  const { socket, witness, app } = await scene(t, { drain: 200 })
  const connection = await witness.open()
  const began = performance.now()
  connection.close()
  await socket.until(() => socket.code === 1000)
  t.equal(connection.phase, 'closing')
  t.equal(connection.chunk('late'), false)
  await witness.sees(t, 'server')
  t.ok(performance.now() - began >= 190)
  await until(() => app.websocketServer.clients.size === 0)
  await socket.client.ended()
})

await t.test('a client that has closed and stays is cut after the drain time', async (t) => {
  const { socket, witness, app } = await scene(t, { drain: 200 })
  socket.send(closeFrame(1000))
  await witness.sees(t, 'client')
  await until(() => app.websocketServer.clients.size === 0)
  await socket.client.ended()
})

await t.test('a client that goes on sending when we have closed is not listened to', async (t) => {
  const { socket, witness, got } = await scene(t)
  const connection = await witness.open()
  connection.close()
  socket.text('too late').send(closeFrame(1000))
  socket.client.halfClose()
  await witness.sees(t, 'server')
  t.same(got, [])
})

await t.test('an upgrade that is none is refused with plain HTTP, and its place is free again', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', { maxConnections: 1, websocket: { init: () => {} } })
  })
  const wrong: Array<Record<string, string>> = [
    { 'Sec-WebSocket-Key': 'short' }, { 'Sec-WebSocket-Version': '7' }, { 'Sec-WebSocket-Protocol': 'a,,b' }
  ]
  for (const headers of wrong) {
    const { client } = await upgrade(t, server.port, '/', headers)
    t.equal(client.response.status, 400)
    await client.ended()
  }
  const { client } = await upgrade(t, server.port)
  t.equal(client.response.status, 101)
})
