/** How bytes become lines. */
import { andClose, answers, bytes, bytewise, END, events, message, newest, reads, type Section, toEnd } from '../case.ts'

// Everything that may end a line, and what other standards take for one.
const OTHER_ENDS = 'a\vb\fc\u0085d\u2028e\u2029f'
const MANY = 'grün, 日本語, 🎨, e\u0301, \u{10ffff}'

export const parsing: Section = {
  title: '9.2.5 Parsing an event stream',
  cases: [
    ...Object.entries({ LF: '\n', CR: '\r', CRLF: '\r\n' }).flatMap(([name, end]) => {
      const text = ['data: a', 'id: 1', '', ': comment', 'data: b', 'data: c', '', 'data: d', '', ''].join(end)
      const wants = [message('a', '1'), message('b\nc', '1'), message('d', '1')]
      const deviations = { eventsource: { because: 'an event without an id has none', gives: [message('a', '1'), message('b\nc'), message('d')] } }
      return [
        reads(`lines end with ${name}`, text, wants, { deviations }),
        reads(`lines end with ${name}, and each byte comes in a chunk of its own`, bytewise(text), wants, { deviations })
      ]
    }),
    reads('line ends of all kinds are mixed', 'data: a\rdata: b\ndata: c\r\n\rdata: d\n\r\ndata: e\r\r\n', [message('a\nb\nc'), message('d'), message('e')]),
    reads('a CR at the end of a chunk and the LF at the start of the next one are one line end', ['data: a\r', '\ndata: b\r', '\n\r', '\n'], [message('a\nb')]),
    {
      name: 'an event that ends with two CRs is there before anything follows it',
      serve: answers(bytes('data: first\n\ndata: a\r\r')),
      play: async ({ client, open }) => {
        const source = await open()
        // In Node what is in one chunk is told at once, in a page maybe one after the other.
        await source.count(client.page === null ? 1 : 2, 'message')
        await source.close()
        return events(await source.told())
      },
      wants: [message('first'), message('a')],
      deviations: { eventsource: { because: 'a CR at the end of a chunk waits for the next one', gives: [message('first')] } }
    },
    reads('one byte order mark at the start is passed over', '\ufeffdata: a\n\ndata: b\n\n', [message('a'), message('b')]),
    {
      name: 'so is one that comes in three pieces',
      serve: (app) => {
        app.get('/', async (_request, reply) => { reply.type('text/event-stream').sendChunked().chunk(Uint8Array.of(0xef)) })
      },
      play: async ({ open, app }) => {
        const source = await open()
        await source.count(1, 'open')
        for (const byte of [...bytewise('\ufeffdata: a\n\n').slice(1), END]) {
          await newest(app).chunk(byte)
          await source.told()   // meanwhile it has been read
        }
        return events(await toEnd(source))
      },
      wants: [message('a')],
      deviations: { WebKit: { because: 'it looks for the mark in what comes first', gives: [] } }
    },
    reads('a second one is part of the line', '\ufeff\ufeffdata: a\n\ndata: b\n\n', [message('b')]),
    reads('one that is not at the start is part of the line', 'data: \ufeffa\n\n\ufeffdata: b\n\ndata: c\n\n', [message('\ufeffa'), message('c')]),
    reads('what other standards take for line ends is data', `data: ${OTHER_ENDS}\n\n`, [message(OTHER_ENDS)]),
    reads('NUL is data', 'data: a\0b\n\n', [message('a\0b')], {
      deviations: { Firefox: { because: 'it leaves NUL out', gives: [message('ab')] } }
    }),
    reads('characters of many bytes are split over chunks', bytewise(`data: ${MANY}\n\n`), [message(MANY)]),
    reads('what is no UTF-8 is read as U+FFFD', [Buffer.from('data: a\xffb\xc3\n\n', 'latin1')], [message('a\ufffdb\ufffd')]),
    {
      name: 'what is behind the last blank line when the stream ends is discarded',
      serve: answers(andClose(bytes('retry: 1\ndata: a\n\nid: 1\ndata: b\n')), bytes('data: c\n\nevent: end\ndata:\n\n')),
      play: async ({ open, requests }) => ({ events: events(await toEnd(await open())), sent: requests[1]!.headers['last-event-id'] ?? null }),
      wants: { events: [message('a'), message('c')], sent: null }
    }
  ]
}
