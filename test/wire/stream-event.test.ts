/** An event as a value: the exact bytes in every format, whichever of its parts are there, and what is refused. */
import t from 'tap'
import { event } from '../../index.ts'
import { eventStream } from '../../lib/wire/event-stream.ts'
import { encodeStreamEvent, type Format, fromCustom } from '../../lib/wire/format.ts'
import { ndjson } from '../../lib/wire/ndjson.ts'
import { plainText } from '../../lib/wire/plain-text.ts'
import { StreamEvent, type StreamEventFields } from '../../lib/wire/stream-event.ts'

const own = fromCustom({ type: 'text/x-own', encode: (event) => JSON.stringify(event) })
const FORMATS: Record<string, Format> = { 'event-stream': eventStream, ndjson, text: plainText, own }

const as = (format: Format, fields: StreamEventFields) => encodeStreamEvent(format, event(fields as { data: unknown }))

t.test('each part may be there or not: the bytes of all of them', async (t) => {
  const parts: Array<[part: StreamEventFields, bytes: string]> = [
    [{ comment: 'aside' }, ': aside\n'],
    [{ event: 'named' }, 'event: named\n'],
    [{ id: 'a1' }, 'id: a1\n'],
    [{ retry: 6000 }, 'retry: 6000\n'],
    [{ data: { text: 'hallo!' } }, 'data: {"text":"hallo!"}\n']
  ]
  for (let mask = 0; mask < 2 ** parts.length; mask++) {
    const there = parts.filter((_part, index) => (mask & 2 ** index) !== 0)
    const fields: StreamEventFields = Object.assign({}, ...there.map(([part]) => part))
    const needsData = 'event' in fields && !('data' in fields)
    const bytes = there.map(([, bytes]) => bytes).join('') + (needsData ? 'data: \n' : '') + '\n'
    t.equal(as(eventStream, fields), bytes, Object.keys(fields).join(' ') || 'nothing')
  }
})

t.test('the same, as it is read', async (t) => {
  t.equal(as(eventStream, { data: 'hallo!' }), 'data: hallo!\n\n')
  t.equal(as(eventStream, { data: 'two\nlines', id: 0 }), 'id: 0\ndata: two\ndata: lines\n\n')
  t.equal(as(eventStream, { data: null }), 'data: null\n\n', 'null is data')
  t.equal(as(eventStream, { data: '' }), 'data: \n\n', 'so is empty text')
  t.equal(as(eventStream, { id: '' }), 'id: \n\n', 'an empty id resets')
  t.equal(as(eventStream, { event: 'tick' }), 'event: tick\ndata: \n\n', 'a type alone is dispatched, with empty data')
  t.equal(as(eventStream, { id: 7 }), 'id: 7\n\n', 'an id alone is not')
  t.equal(as(eventStream, { retry: 0 }), 'retry: 0\n\n')
  t.equal(as(eventStream, { comment: 'two\r\nlines' }), ': two\n: lines\n\n')
  t.equal(as(eventStream, { comment: '', data: 1 }), ': \ndata: 1\n\n')
  t.equal(as(eventStream, { data: undefined, event: undefined, id: undefined, retry: undefined, comment: undefined }), '\n', 'undefined is absent')
})

t.test('formats without comments, ids or delays leave out what they can\'t say', async (t) => {
  const cases: Array<[fields: StreamEventFields, ndjson: string, text: string, own: string]> = [
    [{ data: 'x' }, '"x"\n', 'x', '{"data":"x"}'],
    [{ data: { a: 1 }, id: 7, retry: 5, comment: 'aside' }, '{"id":"7","data":{"a":1}}\n', '{"a":1}\n', '{"data":{"a":1},"id":"7","retry":5}'],
    [{ event: 'tick' }, '{"event":"tick","data":""}\n', '', '{"data":"","event":"tick"}'],
    [{ data: null, event: 'tick' }, '{"event":"tick","data":null}\n', 'null\n', '{"data":null,"event":"tick"}'],
    [{ id: 7 }, '', '', ''],
    [{ retry: 7 }, '', '', ''],
    [{ comment: 'aside' }, '', '', ''],
    [{}, '', '', '']
  ]
  for (const [fields, ...expected] of cases) {
    t.same([ndjson, plainText, own].map((format) => as(format, fields)), expected, Object.keys(fields).join(' ') || 'nothing')
  }
})

t.test('what one format refuses all of them do', async (t) => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const wrong: Array<[fields: object, code: string]> = [
    [{ data: () => {} }, 'PST_ERR_DATA'],
    [{ data: Symbol('s') }, 'PST_ERR_DATA'],
    [{ data: 1n }, 'PST_ERR_DATA'],
    [{ data: cycle }, 'PST_ERR_DATA'],
    [{ data: '\ud83c' }, 'PST_ERR_DATA'],
    [{ data: Promise.resolve() }, 'PST_ERR_DATA'],
    [{ data: event({ data: 'x' }) }, 'PST_ERR_DATA'],
    [{ data: 'x', event: 'a\nb' }, 'PST_ERR_FIELD'],
    [{ event: 7 }, 'PST_ERR_FIELD'],
    [{ data: 'x', id: 'a\0b' }, 'PST_ERR_FIELD'],
    [{ data: 'x', id: NaN }, 'PST_ERR_FIELD'],
    [{ id: {} }, 'PST_ERR_FIELD'],
    [{ data: 'x', retry: -1 }, 'PST_ERR_FIELD'],
    [{ retry: 1.5 }, 'PST_ERR_FIELD'],
    [{ data: 'x', comment: 7 }, 'PST_ERR_DATA'],
    [{ comment: '\ud83c' }, 'PST_ERR_DATA']
  ]
  for (const [fields, code] of wrong) {
    for (const [name, format] of Object.entries(FORMATS)) {
      t.throws(() => as(format, fields), { code }, `${name}: ${Object.keys(fields).join(' ')}`)
    }
  }
})

t.test('a field that there is not is refused when the event is made', async (t) => {
  t.throws(() => event({ text: 'x' } as object), { code: 'PST_ERR_FIELD', message: /"text".*data, event, id, retry, comment/ })
  t.throws(() => event({ data: 'x', Event: 'y' } as object), { code: 'PST_ERR_FIELD' })
  for (const fields of [null, undefined, 'x', 7]) t.throws(() => event(fields as never), { code: 'PST_ERR_FIELD' })
})

t.test('it is a value: what becomes of the fields later does not change it', async (t) => {
  const fields = { data: 'before', id: 1 }
  const made = event(fields)
  fields.data = 'after'
  t.equal(encodeStreamEvent(eventStream, made), 'id: 1\ndata: before\n\n')
  t.throws(() => { (made.fields as { data: string }).data = 'after' }, TypeError)
  t.type(made, StreamEvent)
})

t.test('plain data that looks like one is plain data', async (t) => {
  t.equal(eventStream.encode({ event: 'x', data: 'y' }), 'data: {"event":"x","data":"y"}\n\n')
})
