/** Which format a client gets: what is remembered of headers changes nothing of it. */
import t from 'tap'
import { FORMAT_NAMES, Formats } from '../../lib/connection/formats.ts'

const TYPES = ['text/event-stream', 'application/x-ndjson', 'application/jsonl', 'application/ndjson', 'text/plain', 'application/json', 'image/png', '*/*', 'nonsense', '']

t.test('a header gives the same format again, after many others too', async (t) => {
  const formats = new Formats(FORMAT_NAMES)
  const headers = TYPES.flatMap((type) => TYPES.flatMap((other) => [0, 0.5, 1].map((q) => `${type};q=${q}, ${other};q=0.7`)))
  headers.push(`text/plain, ${'x/y, '.repeat(100)}`)
  t.ok(headers.length > 300)
  for (const round of ['first', 'second']) {
    for (const header of headers) {
      const fresh = new Formats(FORMAT_NAMES).choose(header)
      if (formats.choose(header) !== fresh || formats.choose(header) !== fresh) t.fail(`${header}, ${round} time`)
    }
  }
  t.equal(formats.choose(undefined), formats.choose(''), 'without the header, whatever comes first')
  t.equal(formats.choose('image/png'), null)
  t.equal(formats.choose('image/png'), null, 'nothing fits, again')
})
