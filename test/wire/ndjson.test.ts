/**
 * JSON, one value a line: the exact bytes, and what is refused.
 * @see https://github.com/ndjson/ndjson-spec
 */
import t from 'tap'
import { isOfFormat } from '../../lib/wire/format.ts'
import { ndjson } from '../../lib/wire/ndjson.ts'

t.test('a line is the data, text too', async (t) => {
  const cases: Array<[data: unknown, line: string]> = [
    ['', '""\n'], ['hallo!', '"hallo!"\n'], ['"', '"\\""\n'], [null, 'null\n'], [0, '0\n'], [false, 'false\n'], [[], '[]\n'],
    [{ text: 'hallo!' }, '{"text":"hallo!"}\n'], [{ a: { b: [1] } }, '{"a":{"b":[1]}}\n'], ['grüezi 🎨', '"grüezi 🎨"\n']
  ]
  for (const [data, line] of cases) t.equal(ndjson.encode(data), line)
})

t.test('no data breaks out of its line', async (t) => {
  for (const text of ['a\nb', 'a\rb', '\r\n', '\n\n', 'a\0b', 'a\u2028b\u2029c\u0085d\ve\ff\x1cg']) {
    for (const data of [text, { [text]: text }, [text]]) {
      for (const line of [ndjson.encode(data, { event: 'x', id: 'y' }), ndjson.encodeStored({ data: JSON.stringify(data), json: true, id: 'y' })]) {
        // eslint-disable-next-line no-control-regex
        t.equal(line.search(/[\r\n\v\f\x1c-\x1e\u0085\u2028\u2029]/), line.length - 1, 'nor for those who know more line ends')
        t.same(JSON.parse(line).data, data)
      }
    }
  }
  t.equal(ndjson.encode('x', { event: '\u2028', id: '\u0085' }), '{"event":"\\u2028","id":"\\u0085","data":"x"}\n')
  t.equal(ndjson.encode('\u2029\\u2029'), '"\\u2029\\\\u2029"\n')
})

t.test('a type or an id makes an object of it, with what there is', async (t) => {
  t.equal(ndjson.encode('x', { event: 'named' }), '{"event":"named","data":"x"}\n')
  t.equal(ndjson.encode({ a: 1 }, { id: '7' }), '{"id":"7","data":{"a":1}}\n')
  t.equal(ndjson.encode(null, { event: 'named', id: 7 }), '{"event":"named","id":"7","data":null}\n', 'ids are text')
  t.equal(ndjson.encode('x', { event: '', id: '' }), '{"event":"","id":"","data":"x"}\n')
  t.equal(ndjson.encode('x', { event: 'a"b\\', id: '"' }), '{"event":"a\\"b\\\\","id":"\\"","data":"x"}\n')
  for (const fields of [undefined, null, {}, { event: undefined }, { retry: 5 }]) t.equal(ndjson.encode('x', fields), '"x"\n', 'a delay can\'t be said')
})

t.test('what was published is encoded from its text', async (t) => {
  t.equal(ndjson.encodeStored({ data: 'x\ny', json: false, id: 'e:1' }), '{"id":"e:1","data":"x\\ny"}\n')
  t.equal(ndjson.encodeStored({ data: '{"a":1}', json: true, id: 'e:2', event: 'named', retry: 7 }), '{"event":"named","id":"e:2","data":{"a":1}}\n')
})

t.test('it refuses what the event stream refuses', async (t) => {
  for (const data of [undefined, () => {}, Symbol('s'), 1n, '\ud83c', Promise.resolve()]) t.throws(() => ndjson.encode(data), { code: 'PST_ERR_DATA' })
  for (const fields of [{ event: 'a\nb' }, { id: '\0' }, { retry: -1 }, { other: 1 }, 'text']) t.throws(() => ndjson.encode('x', fields as object), { code: 'PST_ERR_FIELD' })
})

t.test('a heartbeat is an event, if it is one', async (t) => {
  t.equal(ndjson.encodeHeartbeat(null, null), '')
  t.equal(ndjson.encodeHeartbeat(null, 'e:1'), '')
  t.equal(ndjson.encodeHeartbeat('beat', null), '{"event":"beat","data":""}\n')
  t.equal(ndjson.encodeHeartbeat('beat', 'e:1'), '{"event":"beat","id":"e:1","data":""}\n')
})

t.test('something may follow behind a line', async (t) => {
  t.ok(ndjson.endsEvent('}\n'))
  t.notOk(ndjson.endsEvent('{"a":'))
  t.notOk(ndjson.endsEvent('\n{'))
})

t.test('its content types', async (t) => {
  for (const type of ['application/x-ndjson', 'application/x-ndjson; charset=utf-8', 'APPLICATION/JSONL ;x', 'application/ndjson', 'application/jsonlines']) t.ok(isOfFormat(type, ndjson), type)
  for (const type of ['application/json', 'application/x-ndjson2', 'text/x-ndjson', '', undefined, 7]) t.notOk(isOfFormat(type, ndjson), String(type))
})

t.test('JSON that somebody has laid out on several lines comes on one, whatever ends them', async (t) => {
  for (const data of ['[1,\n{"event":"forged"}\n]', '[1,\r{"event":"forged"}\r]', '\r\n[1,\r\n\t{"event":"forged"}]\n\n']) {
    t.equal(ndjson.encodeStored({ data, json: true }), '[1,{"event":"forged"}]\n')
    t.equal(ndjson.encodeStored({ data, json: true, id: 'e:1' }), '{"id":"e:1","data":[1,{"event":"forged"}]}\n')
  }
  t.equal(ndjson.encodeStored({ data: '[\n  12345678901234567890, 1.0\n]', json: true }), '[12345678901234567890, 1.0]\n', 'numbers stay as they are')
})
