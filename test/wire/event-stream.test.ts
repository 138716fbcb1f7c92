/**
 * The event stream wire: the exact bytes of everything it encodes, and what it refuses.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
import t, { type Test } from 'tap'
import {
  encodeComment, encodeEvent, encodeHeartbeat, encodeId, encodeRetry, type EventOptions, eventStream
} from '../../lib/wire/event-stream.ts'
import { isOfFormat } from '../../lib/wire/format.ts'

/** That this can't be encoded, with this code, and that the message says what is wrong. */
function refused (t: Test, encode: () => string, code: string, ...says: string[]): void {
  const error = refusal(encode)
  t.equal(error.code, code, error.message)
  for (const words of says) t.ok(error.message.includes(words), `${JSON.stringify(error.message)} says ${words}`)
}

function refusedField (t: Test, field: string, value: unknown, ...says: string[]): void {
  refused(t, () => encodeEvent('x', { [field]: value }), 'PST_ERR_FIELD', `"${field}"`, ...says)
}

t.test('the bytes of the original for the original\'s valid inputs', async (t) => {
  t.equal(
    encodeEvent({ text: 'hallo!' }, { event: 'handshake', id: '1234', retry: 6000 }),
    'event: handshake\nid: 1234\nretry: 6000\ndata: {"text":"hallo!"}\n\n')
  t.equal(encodeEvent('hallo!'), 'data: hallo!\n\n')
  t.equal(encodeEvent({ text: 'hallo!' }), 'data: {"text":"hallo!"}\n\n')
  t.equal(encodeEvent('hallo!', { event: 'handshake' }), 'event: handshake\ndata: hallo!\n\n')
  t.equal(encodeEvent('hallo!', { id: '1234' }), 'id: 1234\ndata: hallo!\n\n')
  t.equal(encodeEvent('hallo!', { retry: 6000 }), 'retry: 6000\ndata: hallo!\n\n')
})

t.test('the fields come in the order event, id, retry, data, however the options are written', async (t) => {
  t.equal(encodeEvent('x', { retry: 1, id: 'b', event: 'a' }), 'event: a\nid: b\nretry: 1\ndata: x\n\n')
})

t.test('an option that is undefined is not sent, nor are options that are not there', async (t) => {
  t.equal(encodeEvent('x', { event: undefined, id: undefined, retry: undefined }), 'data: x\n\n')
  t.equal(encodeEvent('x', {}), 'data: x\n\n')
  t.equal(encodeEvent('x', null), 'data: x\n\n')
  t.equal(encodeEvent('x', undefined), 'data: x\n\n')
})

t.test('options that are no object are refused, not ignored', async (t) => {
  for (const options of ['handshake', 1234, true]) {
    refused(t, () => encodeEvent('x', options as unknown as EventOptions), 'PST_ERR_FIELD', String(options))
  }
})

t.test('text goes out verbatim', async (t) => {
  t.equal(encodeEvent('{"is":"text"}'), 'data: {"is":"text"}\n\n')
  t.equal(encodeEvent(' one space more'), 'data:  one space more\n\n', 'a client takes one space away')
  t.equal(encodeEvent('id: 1'), 'data: id: 1\n\n')
  t.equal(encodeEvent(': no comment'), 'data: : no comment\n\n')
  t.equal(encodeEvent('a\0b\ufeffc\u2028d\u0085e\vf\fg'), 'data: a\0b\ufeffc\u2028d\u0085e\vf\fg\n\n', 'only CR and LF end a line')
  t.equal(encodeEvent('grüezi 🎨'), 'data: grüezi 🎨\n\n')
})

t.test('empty text is an event with a data line', async (t) => {
  t.equal(encodeEvent(''), 'data: \n\n')
})

t.test('text has one data line for each of its lines, whatever ends them', async (t) => {
  for (const end of ['\r\n', '\n', '\r']) {
    const named = JSON.stringify(end)
    t.equal(encodeEvent(`a${end}b`), 'data: a\ndata: b\n\n', named)
    t.equal(encodeEvent(`a${end}${end}b`), 'data: a\ndata: \ndata: b\n\n', `${named} twice`)
    t.equal(encodeEvent(`${end}a`), 'data: \ndata: a\n\n', `${named} first`)
    t.equal(encodeEvent(`a${end}`), 'data: a\ndata: \n\n', `${named} last`)
    t.equal(encodeEvent(end), 'data: \ndata: \n\n', `${named} alone`)
  }
  t.equal(encodeEvent('a\n\rb'), 'data: a\ndata: \ndata: b\n\n', 'LF CR are two')
  t.equal(encodeEvent('a\r\r\nb\n\nc'), 'data: a\ndata: \ndata: b\ndata: \ndata: c\n\n', 'CR CRLF LF LF are four')
})

t.test('what is no text goes out as JSON', async (t) => {
  const cases: Array<[data: unknown, json: string]> = [
    [null, 'null'],
    [0, '0'],
    [-1.5e300, '-1.5e+300'],
    [NaN, 'null'],
    [true, 'true'],
    [false, 'false'],
    [[], '[]'],
    [[1, 'two', [null]], '[1,"two",[null]]'],
    [{}, '{}'],
    [{ a: { b: [{ c: 'd' }] } }, '{"a":{"b":[{"c":"d"}]}}'],
    [{ gone: undefined, f () {} }, '{}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [{ toJSON: () => 'own form' }, '"own form"'],
    [Object('boxed'), '"boxed"']
  ]
  for (const [data, json] of cases) t.equal(encodeEvent(data), `data: ${json}\n\n`, json)
})

t.test('a line end inside of JSON is escaped, so JSON is always one line', async (t) => {
  t.equal(encodeEvent({ 'a\nb': 'c\r\nd\re' }), 'data: {"a\\nb":"c\\r\\nd\\re"}\n\n')
})

t.test('data that JSON turns into nothing is refused', async (t) => {
  refused(t, () => encodeEvent(undefined), 'PST_ERR_DATA', 'undefined')
  refused(t, () => encodeEvent(() => 'x'), 'PST_ERR_DATA', 'a function')
  refused(t, () => encodeEvent(Symbol('s')), 'PST_ERR_DATA', 'Symbol(s)')
  refused(t, () => encodeEvent(Promise.resolve('late')), 'PST_ERR_DATA', 'a promise has to be awaited')
  refused(t, () => encodeEvent({ toJSON: () => undefined }), 'PST_ERR_DATA', 'an object')
  refused(t, () => encodeEvent({ toJSON: () => () => {} }), 'PST_ERR_DATA', 'an object')
})

t.test('data that JSON refuses is refused, with JSON\'s own reason', async (t) => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  refused(t, () => encodeEvent(1n), 'PST_ERR_DATA', 'BigInt')
  refused(t, () => encodeEvent({ deep: [1n] }), 'PST_ERR_DATA', 'BigInt')
  refused(t, () => encodeEvent(cycle), 'PST_ERR_DATA', 'circular')
  const cause = new Error('not today')
  refused(t, () => encodeEvent({ toJSON () { throw cause } }), 'PST_ERR_DATA', 'not today')
  t.throws(() => encodeEvent({ toJSON () { throw cause } }), { cause })
  refused(t, () => encodeEvent({ toJSON () { throw 'a string' } }), 'PST_ERR_DATA', 'a string')   // eslint-disable-line no-throw-literal
})

t.test('half a surrogate pair is refused where the text would go out as it is', async (t) => {
  for (const half of ['\ud83c', '\udfa8', 'a\ud83cb', '\udfa8\ud83c', 'line\n\ud83c']) {
    const named = JSON.stringify(half)
    refused(t, () => encodeEvent(half), 'PST_ERR_DATA', 'surrogate')
    refused(t, () => encodeComment(half), 'PST_ERR_DATA', 'surrogate')
    if (!half.includes('\n')) refusedField(t, 'event', half, 'well-formed', named)
    if (!half.includes('\n')) refusedField(t, 'id', half, 'well-formed', named)
  }
  t.equal(encodeEvent({ half: '\ud83c' }), 'data: {"half":"\\ud83c"}\n\n', 'JSON can carry it')
})

t.test('CR, LF and NUL in event or id are refused', async (t) => {
  for (const field of ['event', 'id']) {
    for (const bad of ['\n', '\r', '\0', 'a\nb', 'a\rb', 'a\0b', 'a\r\ndata: forged\n\n', 'a\n']) {
      refusedField(t, field, bad, 'free of CR, LF and NUL', JSON.stringify(bad))
    }
  }
})

t.test('an event or id of another type is refused', async (t) => {
  for (const bad of [null, true, {}, [], () => {}, Symbol('s'), 1n]) {
    refusedField(t, 'event', bad, 'a string')
    refusedField(t, 'id', bad, 'a string or a finite number')
  }
  for (const bad of [NaN, Infinity, -Infinity]) refusedField(t, 'id', bad, 'a string or a finite number', String(bad))
  refusedField(t, 'event', 7, 'a string', '7')
})

t.test('the message shows the start of a long value, not all of it', async (t) => {
  refusedField(t, 'id', 'x'.repeat(1000) + '\n', 'x'.repeat(40) + '…')
  t.ok(refusal(() => encodeEvent('x', { id: 'x'.repeat(1000) + '\n' })).message.length < 150)
})

t.test('the message shows a value with a percent sign as it is', async (t) => {
  refusedField(t, 'event', '%s%d\n', '"%s%d\\n"')
})

t.test('the ids that are falsy are sent', async (t) => {
  t.equal(encodeEvent('x', { id: '' }), 'id: \ndata: x\n\n')
  t.equal(encodeEvent('x', { id: 0 }), 'id: 0\ndata: x\n\n')
})

t.test('a number is an id', async (t) => {
  t.equal(encodeEvent('x', { id: 42 }), 'id: 42\ndata: x\n\n')
  t.equal(encodeEvent('x', { id: -1.5 }), 'id: -1.5\ndata: x\n\n')
})

t.test('a type and an id keep their spaces and colons', async (t) => {
  t.equal(encodeEvent('x', { event: ' a: b', id: ' 1:2' }), 'event:  a: b\nid:  1:2\ndata: x\n\n')
})

t.test('a retry of 0 is sent', async (t) => {
  t.equal(encodeEvent('x', { retry: 0 }), 'retry: 0\ndata: x\n\n')
  t.equal(encodeEvent('x', { retry: -0 }), 'retry: 0\ndata: x\n\n')
})

t.test('a retry that is no non-negative integer is refused', async (t) => {
  for (const bad of [-1, 1.5, NaN, Infinity, -Infinity, 1e21, 2 ** 53, '6000', null, true, 5n, {}]) {
    refusedField(t, 'retry', bad, 'a non-negative integer of milliseconds')
  }
  refusedField(t, 'retry', -1, 'got -1')
  refusedField(t, 'retry', '6000', 'got "6000"')
  t.equal(encodeEvent('x', { retry: Number.MAX_SAFE_INTEGER }), 'retry: 9007199254740991\ndata: x\n\n')
})

t.test('a retry alone is a block of its own', async (t) => {
  t.equal(encodeRetry(0), 'retry: 0\n\n')
  t.equal(encodeRetry(2500), 'retry: 2500\n\n')
  refused(t, () => encodeRetry(-1), 'PST_ERR_FIELD', '"retry"', 'got -1')
})

t.test('a comment is a block of lines that begin with a colon', async (t) => {
  t.equal(encodeComment('hallo'), ': hallo\n\n')
  t.equal(encodeComment(''), ': \n\n')
  for (const end of ['\r\n', '\n', '\r']) {
    t.equal(encodeComment(`a${end}data: forged${end}${end}b`), ': a\n: data: forged\n: \n: b\n\n', JSON.stringify(end))
  }
  for (const bad of [undefined, null, 7, {}]) refused(t, () => encodeComment(bad as unknown as string), 'PST_ERR_DATA', 'a comment must be a string')
})

t.test('what Pastelli sends by itself is on a block boundary', async (t) => {
  for (const block of [eventStream.opening, encodeHeartbeat(null, null), encodeHeartbeat('beat', 'a:1'), encodeId('a:1'), encodeRetry(1), encodeComment('a\nb'), encodeEvent(''), encodeEvent('a\n')]) {
    t.ok(eventStream.endsEvent(block), JSON.stringify(block))
  }
})

t.test('[spec] a block ends with a blank line, whatever ends the lines', async (t) => {
  const ends = ['\r\n', '\n', '\r']
  for (const first of ends) {
    for (const second of ends) {
      if (first === '\r' && second === '\n') continue   // that is one CRLF
      t.ok(eventStream.endsEvent(`data: a${first}${second}`), JSON.stringify(first + second))
    }
  }
  for (const open of ['', 'a', '\n', '\r', '\r\n', 'a\n', 'a\r', 'a\r\n', '\n\na', 'a\r\n ', '\n\n:', 'a\n \n']) {
    t.notOk(eventStream.endsEvent(open), JSON.stringify(open))
  }
})

t.test('an event stream is told by its content type', async (t) => {
  for (const type of [eventStream.contentType, 'text/event-stream', 'TEXT/Event-Stream', 'text/event-stream;charset=utf-8', 'text/event-stream ; x=y']) {
    t.ok(isOfFormat(type, eventStream), type)
  }
  for (const type of ['text/event-streams', 'text/plain', 'application/x-ndjson', 'x text/event-stream', '', undefined, null, 7, ['text/event-stream']]) {
    t.notOk(isOfFormat(type, eventStream), String(type))
  }
})

function refusal (encode: () => string): { code: string, message: string } {
  try {
    return { code: 'none', message: `encoded ${JSON.stringify(encode())}` }
  } catch (error) {
    return error as Error & { code: string }
  }
}
