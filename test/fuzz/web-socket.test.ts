/** WebSockets that say anything, frame by frame: each opens and closes once, for the client's reason, and nobody else notices. */
import fc from 'fast-check'
import t from 'tap'
import phoenix from '../../phoenix/index.ts'
import { closeFrame, frame, OPCODES, upgrade } from '../support/raw-web-socket.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'
import { cases, SEED } from './cases.ts'

const AT_ONCE = 20

const bytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
const phoenixes = fc.tuple(fc.constantFrom(null, '1', 1), fc.constantFrom(null, '1', {}), fc.constantFrom('lobby', 'phoenix', '__proto__', '', 1), fc.constantFrom('phx_join', 'phx_leave', 'heartbeat', 'phx_close', 'x', null), fc.jsonValue({ maxDepth: 1 }))
const payload = fc.oneof(bytes, fc.constantFrom('', 'x', '\ud83c', '[', 'x'.repeat(126), 'x'.repeat(2_000)).map((text) => Buffer.from(text)), phoenixes.map((message) => Buffer.from(JSON.stringify(message))))
const frames = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...Object.values(OPCODES), 1, 1, 2), payload).map(([opcode, payload]) => frame(opcode, payload)) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(15), payload, fc.boolean(), fc.constantFrom(0, 0, 0, 0x10, 0x20, 0x40, 0x70), fc.boolean(), fc.nat(300)).map(([opcode, payload, fin, reserved, mask, cut]) => frame(opcode, payload, { fin, reserved, mask }).subarray(0, cut))
  },
  { weight: 1, arbitrary: fc.tuple(fc.nat(0xffff), payload).map(([code, reason]) => closeFrame(code, reason)) },
  { weight: 1, arbitrary: bytes },
  // Lengths that lie.
  { weight: 1, arbitrary: fc.constantFrom([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0x10, 0], [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x81, 0xfe, 0, 1], [0x81, 0xfe]).map((head) => Buffer.from(head)) })
const lives = fc.record({ frames: fc.array(frames, { maxLength: 8 }), path: fc.constantFrom('/', '/socket/websocket?vsn=2.0.0'), end: fc.constantFrom('halfClose', 'leave', 'reset') })

await t.test('whatever frames come, each connection opens and closes once, and others go on', async (t) => {
  const { app, port, origin, noise } = await start(t, async (app) => {
    app.stream('/', { websocket: { maxPayload: 1_000, handle: (message, connection) => { connection.chunk(message) } } })
    app.stream('/quiet', { topics: 'a', websocket: {} })
    await app.register(phoenix, { channels: { lobby: { join: () => ({ ok: {} }), handleIn: (_event, payload) => ({ reply: { ok: payload } }) } } })
  })
  const witness = new Witness(app)
  const quiet = await dial(t, { origin }, '/quiet')
  const wanted = fc.sample(lives, { numRuns: cases(300), seed: SEED })
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    await Promise.all(wanted.slice(at, at + AT_ONCE).map(async ({ frames, path, end }) => {
      const socket = await upgrade(t, port, path)
      for (const frame of frames) socket.send(frame)
      socket.client.resume()[end as 'leave']()
    }))
    await app.topics.publish('a', at)
    await until(() => app.connections.size === 1 && app.websocketServer.clients.size === 1, 'all have gone')
  }
  t.equal(witness.opened.length, wanted.length + 1)
  // What is no message of Phoenix's is an error of its connection.
  const unexpected = witness.closed.filter(({ connection, reason }) => reason !== 'client' && !(reason === 'error' && connection.route !== '/'))
  t.same([witness.closed.length, unexpected.map(({ reason }) => reason)], [wanted.length, []])
  t.equal(new Set(witness.closed.map(({ connection }) => connection.id)).size, wanted.length, 'each once')
  t.same(noise(), [], 'it is nothing to be alarmed at')
  await until(() => quiet.waiting.length >= Math.ceil(wanted.length / AT_ONCE), 'the quiet one has all that was published')
  t.equal(quiet.ws.readyState, quiet.ws.OPEN)
})
