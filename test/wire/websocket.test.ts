/** The WebSocket wire: whole frames, one byte in each character, read by the parser of ws. */
import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import { event } from '../../index.ts'
import type { FormatEvent } from '../../lib/wire/format.ts'
import { encodeStreamEvent } from '../../lib/wire/format.ts'
import { Frame } from '../../lib/wire/frame.ts'
import { frameMessage, frameText, messagesOf, webSocket } from '../../lib/wire/websocket.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

// Its types have none.
const { Receiver } = createRequire(import.meta.url)('ws') as { Receiver: new (options: { isServer: boolean }) => Writable }

/** What a client reads out of what was written: text is a string, binary a Buffer. */
function read (...frames: Array<string | Uint8Array>): Array<string | Buffer> {
  const messages: Array<string | Buffer> = []
  const receiver = new Receiver({ isServer: false })
  receiver.on('message', (data: Buffer, isBinary: boolean) => { messages.push(isBinary ? Buffer.from(data) : data.toString()) })
  receiver.on('error', (error) => { throw error })
  receiver.write(Buffer.concat(frames.map((frame) => typeof frame === 'string' ? Buffer.from(frame, 'latin1') : frame)))
  return messages
}

function readEvents (...frames: string[]): unknown[] {
  return read(...frames).map((text) => JSON.parse(String(text)) as unknown)
}

t.test('a frame has one byte in each character', async (t) => {
  t.equal(frameText('Hello'), '\x81\x05Hello', 'the example of RFC 6455, 5.7')
  t.equal(frameText('ü🎨'), '\x81\x06\xc3\xbc\xf0\x9f\x8e\xa8')
  t.equal(frameMessage(Buffer.alloc(256, 1)), '\x82\x7e\x01\x00' + '\x01'.repeat(256), 'the same for 256 bytes')
  t.equal(frameText('x'.repeat(65_536)), '\x81\x7f\0\0\0\0\0\x01\0\0' + 'x'.repeat(65_536), 'and for 64 KiB')
  t.ok(Buffer.isBuffer(frameMessage(Buffer.alloc(2_049))), 'larger bytes stay bytes')
})

t.test(`whatever is framed is read as it was; seed ${SEED}`, async () => {
  const message = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.integer({ min: 0, max: 70_000 }).map((size) => 'é'.repeat(size)),
    fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ minLength: 5, maxLength: 300 }).map((bytes) => bytes.subarray(3))
  )
  fc.assert(fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
    deepStrictEqual(read(...messages.map(frameMessage)), messages.map((one) => typeof one === 'string' ? one : Buffer.from(one)))
  }), { seed: SEED, numRuns: 300 })
})

t.test(`whatever JSON can say is read as it was, with the fields that there are; seed ${SEED}`, async () => {
  const fields = fc.record({ event: fc.stringMatching(/^[^\r\n\0]*$/), id: fc.oneof(fc.integer(), fc.stringMatching(/^[^\r\n\0]*$/)), retry: fc.nat() }, { requiredKeys: [] })
  fc.assert(fc.property(fc.jsonValue(), fields, (data, options) => {
    const json = JSON.stringify(data)
    const seen = { ...options, ...options.id !== undefined && { id: String(options.id) }, data: JSON.parse(json) as unknown }
    const stored = { ...options, id: options.id === undefined ? undefined : String(options.id), data: json, json: true }
    deepStrictEqual(readEvents(webSocket.encode(data, options), webSocket.encodeStored(stored)), [seen, seen])
    if (typeof data === 'string') strictEqual(webSocket.encodeStored({ data, json: false }), webSocket.encode(data))
  }), { seed: SEED, numRuns: 300 })
})

t.test('what stands between events says what it can', async (t) => {
  t.same(readEvents(webSocket.encodeRetry?.(5) ?? '', webSocket.encodeId?.('e:1') ?? ''), [{ retry: 5 }, { id: 'e:1' }])
  t.equal(webSocket.encodeHeartbeat(null, null), '')
  t.same(readEvents(webSocket.encodeHeartbeat(null, 'e:1'), webSocket.encodeHeartbeat('tick', null), webSocket.encodeHeartbeat('tick', 'e:1')), [
    { id: 'e:1' }, { event: 'tick', data: '' }, { event: 'tick', id: 'e:1', data: '' }
  ])
  t.same(readEvents(encodeStreamEvent(webSocket, event({ event: 'done', comment: 'unsaid' }))), [{ event: 'done', data: '' }])
  t.equal(encodeStreamEvent(webSocket, event({ retry: 1 })), '')
})

t.test('what can\'t be an event is refused', async (t) => {
  t.throws(() => webSocket.encode(undefined), { code: 'PST_ERR_DATA' })
  t.throws(() => webSocket.encode('\ud83c'), { code: 'PST_ERR_DATA' })
  t.throws(() => webSocket.encode('x', { event: 'a\nb' }), { code: 'PST_ERR_FIELD' })
})

t.test('an app\'s encoder gets an event and gives a message', async (t) => {
  const got: FormatEvent[] = []
  const encode = (event: FormatEvent) => {
    got.push(event)
    return event.event === 'bytes' ? new Uint8Array([1, 2]) : `${String(event.data)}\ud83c`
  }
  const format = messagesOf(encode)
  t.equal(messagesOf(encode), format, 'what is built for it is shared')
  t.same(read(format.encode('a', { id: 1, retry: 2 }), format.encode('b', { event: 'bytes' }), format.encodeStored({ data: '[3]', json: true }), format.encodeHeartbeat('tick', 'e:1')), [
    'a\ufffd', Buffer.from([1, 2]), '3\ufffd', '\ufffd'
  ])
  t.same(got, [
    { data: 'a', event: undefined, id: '1', retry: 2 },
    { data: 'b', event: 'bytes', id: undefined, retry: undefined },
    { data: [3], event: undefined, id: undefined, retry: undefined },
    { data: '', event: 'tick', id: 'e:1', retry: undefined }
  ])
  t.equal(format.encodeHeartbeat(null, 'e:1'), '')
  t.throws(() => format.encode(undefined), { code: 'PST_ERR_DATA' })
  for (const wrong of [undefined, null, 7, {}]) t.throws(() => messagesOf(() => wrong as never).encode(1), { code: 'PST_ERR_DATA' })
})

t.test('a shared frame is the same bytes, as a string while it is small', async (t) => {
  for (const size of [1, 1_000, 10_000]) {
    const text = webSocket.encode('é'.repeat(size))
    const frame = new Frame(text, webSocket.encoding)
    t.equal(frame.size, text.length)
    t.equal(typeof frame.latin1, size < 1_001 ? 'string' : 'object')
    t.ok(frame.bytes.equals(Buffer.from(text, 'latin1')))
    t.equal(frame.latin1, frame.latin1, 'made once')
    t.same(readEvents(Buffer.from(frame.bytes).toString('latin1')), [{ data: 'é'.repeat(size) }])
  }
})
