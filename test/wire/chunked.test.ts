/**
 * The chunked wire of HTTP/1.1: the exact bytes of its frames.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
import t from 'tap'
import { frameAscii, frameBytes, frameText } from '../../lib/wire/chunked.ts'

// Where the size gains a digit, and both sides of it.
const SIZES = [1, 16, 256, 4096, 65536].flatMap((power) => [power - 1, power, power + 1]).filter((size) => size > 0)

// What a frame must be, said by somebody else.
const frame = (body: Uint8Array) => Buffer.concat([Buffer.from(`${body.byteLength.toString(16)}\r\n`), body, Buffer.from('\r\n')])

t.test('text of one byte', async (t) => {
  t.equal(frameAscii('a'), '1\r\na\r\n')
  t.same(frameText('a', 1), Buffer.from('1\r\na\r\n'))
  t.same(frameBytes(Buffer.from('a')), Buffer.from('1\r\na\r\n'))
})

t.test('the size is the one in bytes, not in characters', async (t) => {
  const text = 'grüezi 🎨'
  t.same(frameText(text, Buffer.byteLength(text)), Buffer.from(`c\r\n${text}\r\n`))
  t.same(frameBytes(Buffer.from(text)), Buffer.from(`c\r\n${text}\r\n`))
})

t.test('line ends in the text are left alone', async (t) => {
  t.equal(frameAscii('data: a\n\n'), '9\r\ndata: a\n\n\r\n')
  t.equal(frameAscii('0\r\n\r\n'), '5\r\n0\r\n\r\n\r\n', 'a terminator inside is no terminator')
})

t.test('bytes that are no text go out as they are', async (t) => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
  t.same(frameBytes(bytes), frame(bytes))
})

t.test('a view of a larger buffer is framed, not the buffer', async (t) => {
  const view = Buffer.from('before inside after').subarray(7, 13)
  t.same(frameBytes(view), Buffer.from('6\r\ninside\r\n'))
  t.same(frameBytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength)), Buffer.from('6\r\ninside\r\n'))
})

t.test('sizes around the powers of 16', async (t) => {
  for (const size of SIZES) {
    const ascii = 'x'.repeat(size)
    const bytes = Buffer.from(ascii)
    t.equal(frameAscii(ascii), `${size.toString(16)}\r\n${ascii}\r\n`, `${size} bytes of ASCII`)
    t.ok(frameText(ascii, size).equals(frame(bytes)), `${size} bytes of text`)
    t.ok(frameBytes(bytes).equals(frame(bytes)), `${size} bytes`)
    const wide = 'ü'.repeat(size)
    t.ok(frameText(wide, size * 2).equals(frame(Buffer.from(wide))), `${size} characters of two bytes`)
  }
})
