/** What a client says of where it was. */
import { eventually } from '../../support/until.ts'
import { andClose, answers, bytes, type Case, END, events, message, type Scene, type Section, toEnd } from '../case.ts'

const NEVER = 'it does not come back'
const LATIN1 = { because: 'it sends Latin-1', gives: Buffer.from('grün', 'latin1').toString() }
const FAILS = { because: 'it makes no header of it', gives: NEVER }
const everywhere = (deviation: { because: string, gives: unknown }) => Object.fromEntries(['Chromium', 'Firefox', 'WebKit', 'undici', 'eventsource'].map((name) => [name, deviation]))

export const lastEventId: Section = {
  title: '9.2.4 The Last-Event-ID header',
  cases: [
    {
      name: 'nothing at first, then the id that was told last, until an empty one comes',
      serve: answers(
        andClose(bytes('retry: 5\ndata: 1\n\nid: a\ndata: 2\n\nid: b\ndata: 3\n\ndata: 4\n\n')),
        andClose(bytes('data: 5\n\n')),
        andClose(bytes('id: c\ndata: 6\n\nid\ndata: 7\n\n')),
        bytes('data: 8\n\n' + END)
      ),
      play: async ({ open, requests }) => {
        const seen = events(await toEnd(await open()))
        return { sent: sent(requests), seen }
      },
      wants: {
        sent: [null, 'b', 'b', null],
        seen: [message('1'), message('2', 'a'), message('3', 'b'), message('4', 'b'), message('5', 'b'), message('6', 'c'), message('7'), message('8')]
      },
      deviations: {
        undici: {
          because: 'an empty id leaves the header as it was',
          gives: {
            sent: [null, 'b', 'b', 'b'],
            seen: [message('1'), message('2', 'a'), message('3', 'b'), message('4', 'b'), message('5', 'b'), message('6', 'c'), message('7'), message('8')]
          }
        },
        eventsource: {
          because: 'an event has the id of its own block, or none',
          gives: {
            sent: [null, 'b', 'b', null],
            seen: [message('1'), message('2', 'a'), message('3', 'b'), message('4'), message('5'), message('6', 'c'), message('7'), message('8')]
          }
        }
      }
    },
    comesBackWith('letters beyond ASCII, in UTF-8', 'grün', { undici: LATIN1, eventsource: LATIN1 }),
    comesBackWith('characters beyond U+00FF, in UTF-8', '日本 🎨', { undici: FAILS, eventsource: FAILS }),
    comesBackWith('a control character', 'a\u0001b', everywhere(FAILS)),
    comesBackWith('a tab', 'a\tb'),
    comesBackWith('DEL', 'a\u007fb', everywhere(FAILS)),
    comesBackWith('four thousand characters', 'x'.repeat(4_000)),
    comesBackWith('a position of Pastelli\'s', 'm3x9q0zk:9007199254740991')
  ]
}

const sent = (requests: Scene['requests']) => requests.map(({ headers }) => {
  const value = headers['last-event-id']
  return value === undefined ? null : Buffer.from(value as string, 'latin1').toString()
})

/** What it sends when it comes back, unless one that was told to wait for a second is there before it. */
function comesBackWith (name: string, id: string, deviations: Case['deviations'] = {}): Case {
  return {
    name: `an id with ${name} is sent as it was told`,
    serve: (app) => {
      app.register(async (own) => { answers(bytes(`retry: 5\nid: ${id}\ndata:\n\n`))(own) }, { prefix: '/it' })
      app.register(async (own) => { answers(bytes('retry: 1000\ndata:\n\n'))(own) }, { prefix: '/other' })
    },
    play: async ({ app, open, requests }) => {
      const sources = [await open('/it/'), await open('/other/')]
      for (const source of sources) await source.count(1, 'message')
      for (const connection of [...app.connections].slice(-2)) connection.close()
      await eventually(() => requests.length > 2, 'one of two comes back')
      for (const source of sources) await source.close()
      return requests[2]!.url.endsWith('/it/') ? sent(requests)[2] : NEVER
    },
    wants: id,
    deviations
  }
}
