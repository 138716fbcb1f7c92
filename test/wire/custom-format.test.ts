/** A format of the app's own: what it is given, and what it may give. */
import t from 'tap'
import { type FormatEvent, fromCustom, isOfFormat } from '../../lib/wire/format.ts'

const show = (event: FormatEvent) => JSON.stringify(event)

t.test('it is given the parts of an event, an id as text', async (t) => {
  const given: FormatEvent[] = []
  const format = fromCustom({
    type: 'text/x-own',
    encode: (event) => {
      given.push(event)
      return ''
    }
  })
  const data = { a: 1 }
  format.encode(data)
  format.encode('x', null)
  format.encode('x', { event: 'named', id: 7, retry: 5 })
  format.encodeStored({ data: 'x', json: false, id: 'e:1' })
  format.encodeStored({ data: '{"a":1}', json: true, id: 'e:2', event: 'named', retry: 5 })
  format.encodeHeartbeat('beat', 'e:2')
  format.encodeHeartbeat('beat', null)
  const nothing = { event: undefined, id: undefined, retry: undefined }
  t.same(given, [
    { ...nothing, data: { a: 1 } },
    { ...nothing, data: 'x' },
    { data: 'x', event: 'named', id: '7', retry: 5 },
    { ...nothing, data: 'x', id: 'e:1' },
    { data: { a: 1 }, event: 'named', id: 'e:2', retry: 5 },
    { ...nothing, data: '', event: 'beat', id: 'e:2' },
    { ...nothing, data: '', event: 'beat' }
  ])
  t.equal(given[0]?.data, data, 'as it is')
  t.equal(format.encodeHeartbeat(null, 'e:2'), '', 'what clients shall not see has no form')
  t.equal(given.length, 7)
})

t.test('its text goes out as it is, well-formed', async (t) => {
  const as = (text: string) => fromCustom({ type: 'text/x-own', encode: () => text }).encode('x')
  for (const text of ['', '\n', 'a\r\nb\0', 'grüezi 🎨']) t.equal(as(text), text)
  t.equal(as('a\ud83cb'), 'a\ufffdb', 'else its size would not be known')
})

t.test('what is no text is refused', async (t) => {
  for (const wrong of [undefined, null, 7, Buffer.from('x'), Promise.resolve('x')]) {
    t.throws(() => fromCustom({ type: 'text/x-own', encode: () => wrong as never }).encode('x'), { code: 'PST_ERR_DATA', message: /the format text\/x-own gave a value of the type/ })
  }
})

t.test('what it throws is thrown', async (t) => {
  t.throws(() => fromCustom({ type: 'text/x-own', encode: () => { throw new RangeError('mine') } }).encode('x'), new RangeError('mine'))
})

t.test('what no format could send it does not see', async (t) => {
  const format = fromCustom({ type: 'text/x-own', encode: () => t.fail('it was asked') as never })
  for (const data of [undefined, () => {}, Symbol('s'), 1n, '\ud83c', Promise.resolve()]) t.throws(() => format.encode(data), { code: 'PST_ERR_DATA' })
  for (const fields of [{ event: 'a\nb' }, { id: '\0' }, { retry: -1 }, { other: 1 }]) t.throws(() => format.encode('x', fields as object), { code: 'PST_ERR_FIELD' })
})

t.test('its content type', async (t) => {
  t.equal(fromCustom({ type: 'application/json-seq', encode: show }).contentType, 'application/json-seq')
  t.equal(fromCustom({ type: 'Text/X-Own', encode: show }).contentType, 'Text/X-Own; charset=utf-8', 'text says that it is UTF-8')
  const format = fromCustom({ type: 'Text/X-Own', encode: show })
  t.equal(format.type, 'text/x-own')
  for (const type of ['text/x-own', 'TEXT/X-OWN; charset=utf-8']) t.ok(isOfFormat(type, format))
})
