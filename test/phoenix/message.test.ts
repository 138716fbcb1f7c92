/** The V2 serializer, read by Phoenix's own and the other way round. */
import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from 'tap'
import { decode, encode, encodeText, type Message, restoreBinary } from '../../phoenix/message.ts'

interface Theirs { join_ref: string | null, ref: string | null, topic: string, event: string, payload: unknown }

interface Serializing {
  encode: <Wire>(message: Theirs, callback: (wire: Wire) => Wire) => Wire
  decode: (wire: string | ArrayBuffer, callback: (message: Theirs) => Theirs) => Theirs
}

// Its types do not have it.
const { Serializer } = createRequire(import.meta.url)('phoenix') as { Serializer: Serializing }

const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const ref = fc.option(fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }), { nil: null })
const name = fc.string({ unit: 'binary', maxLength: 60 })
const bytes = fc.uint8Array({ maxLength: 300 })

function read (wire: string | Uint8Array): Theirs {
  return Serializer.decode(typeof wire === 'string' ? wire : new Uint8Array(wire).buffer, (message) => message)
}

function theirs ({ joinRef, ref, topic, event }: Omit<Message, 'payload'>, payload: unknown): Theirs {
  return { join_ref: joinRef, ref, topic, event, payload }
}

t.test('what a client sends is read as it was meant', async (t) => {
  fc.assert(fc.property(ref, ref, name, name, fc.jsonValue(), bytes, (joinRef, ref, topic, event, json, bytes) => {
    const text = Serializer.encode<string>({ join_ref: joinRef, ref, topic, event, payload: Object(json) as object }, (wire) => wire)
    t.same(decode(text), { joinRef, ref, topic, event, payload: JSON.parse(JSON.stringify(Object(json))) as unknown })
    const binary = Serializer.encode<ArrayBuffer>({ join_ref: joinRef ?? '', ref: ref ?? '', topic, event, payload: new Uint8Array(bytes).buffer }, (wire) => wire)
    const message = decode(new Uint8Array(binary))
    t.same({ ...message, payload: [...message.payload as Uint8Array] }, { joinRef, ref, topic, event, payload: [...bytes] })
  }), { seed: SEED, numRuns: 200 })
})

t.test('what is sent is read by the client as it was meant: pushes, replies and broadcasts, of JSON and of bytes', async (t) => {
  fc.assert(fc.property(ref, ref, name, name, fc.jsonValue(), bytes, (joinRef, ref, topic, event, json, bytes) => {
    const push = { joinRef: joinRef ?? '1', ref: null, topic, event }
    const broadcast = { joinRef: null, ref: null, topic, event }
    const reply = { joinRef: joinRef ?? '1', ref: ref ?? '2', topic, event: 'phx_reply', status: 'ok' } as const
    const normal = JSON.parse(JSON.stringify(json)) as unknown
    const buffer = new Uint8Array(bytes).buffer
    for (const message of [push, broadcast]) {
      t.same(read(encode({ ...message, payload: json })), theirs(message, normal))
      t.same(read(encode({ ...message, payload: bytes })), theirs(message, buffer))
    }
    t.same(read(encode({ ...reply, payload: json })), theirs(reply, { status: 'ok', response: normal }))
    t.same(read(encode({ ...reply, payload: bytes })), theirs(reply, { status: 'ok', response: buffer }))
    t.same(restoreBinary(encodeText({ ...broadcast, payload: bytes })), encode({ ...broadcast, payload: bytes }))
  }), { seed: SEED, numRuns: 200 })
})

t.test('what is no message is refused, with a reason', async (t) => {
  const long = 'x'.repeat(256)
  const wrong: Array<[data: string | Uint8Array, why: RegExp]> = [
    ['', /no JSON/], ['{', /no JSON/], ['null', /no array/], ['{}', /no array/], ['[]', /no array/],
    ['["1","2","t","e"]', /no array/], ['["1","2","t","e",{},{}]', /no array/],
    ['[1,"2","t","e",{}]', /join_ref/], [`["${long}","2","t","e",{}]`, /join_ref/], ['["1",2,"t","e",{}]', /its ref/], [`["1","${'é'.repeat(128)}","t","e",{}]`, /its ref/],
    ['["1","2",null,"e",{}]', /topic/], ['["1","2","t",{},{}]', /event/],
    [Buffer.of(), /no binary push/], [Buffer.of(0, 0, 0, 0), /no binary push/], [Buffer.of(1, 0, 0, 0, 0), /no binary push/],
    [Buffer.of(0, 0, 0, 9, 0, 1), /shorter/], [Buffer.of(0, 0, 0, 1, 0, 0xff), /UTF-8/]
  ]
  for (const [data, message] of wrong) t.throws(() => decode(data), { code: 'PST_ERR_MESSAGE', message, statusCode: 400 }, String(data).slice(0, 20))
})

t.test('what can\'t be sent is refused', async (t) => {
  const message: Message = { joinRef: '1', ref: null, topic: 't', event: 'e', payload: {} }
  const cycle: { self?: object } = {}
  cycle.self = cycle
  for (const payload of [undefined, () => {}, 1n, cycle, Promise.resolve()]) t.throws(() => encode({ ...message, payload }), { code: 'PST_ERR_DATA' })
  t.throws(() => encode({ ...message, event: 'é'.repeat(128), payload: Buffer.of(1) }), { code: 'PST_ERR_DATA', message: /255/ })
  t.equal(encode({ ...message, payload: 'half \ud800 a pair' }), '["1",null,"t","e","half \\ud800 a pair"]')
})
