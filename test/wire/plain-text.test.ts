/** Nothing but the data, as it comes: the exact bytes, and what is refused. */
import t from 'tap'
import { plainText } from '../../lib/wire/plain-text.ts'

t.test('text goes out verbatim, and nothing between two', async (t) => {
  for (const text of ['', 'hallo!', ' two\r\nlines\n', 'data: x\n\n', 'a\0b', 'grüezi 🎨', '{"is":"text"}']) t.equal(plainText.encode(text), text)
})

t.test('JSON that somebody has laid out on several lines comes on one', async (t) => {
  for (const data of ['[\n  1,\n  2\n]', '[\r1,\r2]', '\r\n[1,\r\n\t2]\n\n']) t.equal(plainText.encodeStored({ data, json: true }), '[1,2]\n')
  t.equal(plainText.encodeStored({ data: 'a\r\nb\n', json: false }), 'a\r\nb\n', 'text stays as it is')
})

t.test('anything else is JSON, on a line of its own', async (t) => {
  for (const data of [null, 0, false, [], [1, 'two'], { text: 'hallo!' }, 'text'.split('')]) t.equal(plainText.encode(data), JSON.stringify(data) + '\n')
})

t.test('types, ids and delays are left out', async (t) => {
  t.equal(plainText.encode('x', { event: 'named', id: 7, retry: 5 }), 'x')
  t.equal(plainText.encodeStored({ data: 'x', json: false, id: 'e:1', event: 'named' }), 'x')
  t.equal(plainText.encodeStored({ data: '{"a":1}', json: true, id: 'e:1' }), '{"a":1}\n')
})

t.test('but wrong ones are refused, and so is what the event stream refuses', async (t) => {
  for (const fields of [{ event: 'a\nb' }, { id: '\0' }, { retry: -1 }, { other: 1 }]) t.throws(() => plainText.encode('x', fields as object), { code: 'PST_ERR_FIELD' })
  for (const data of [undefined, () => {}, Symbol('s'), 1n, '\ud83c', Promise.resolve()]) t.throws(() => plainText.encode(data), { code: 'PST_ERR_DATA' })
})

t.test('a heartbeat has no form in it', async (t) => {
  t.equal(plainText.encodeHeartbeat(null, null), '')
  t.equal(plainText.encodeHeartbeat('beat', 'e:1'), '')
})

t.test('something may follow anywhere', async (t) => {
  for (const tail of ['', 'a', 'a\n']) t.ok(plainText.endsEvent(tail))
})
