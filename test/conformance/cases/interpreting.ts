/** How lines become events. */
import type { FastifyInstance } from 'fastify'
import { eventually } from '../../support/until.ts'
import { andClose, answers, bytes, type Case, END, events, message, reads, type Section, toEnd } from '../case.ts'
import type { ClientName } from '../client.ts'

const NO_BUFFER = 'an event has the id of its own block, or none'
const RESETS = 'it brings the default back'
const NO_BUFFER_ALONE = 'an id without data is forgotten'

export const interpreting: Section = {
  title: '9.2.6 Interpreting an event stream',
  cases: [
    reads('the example of stock quotes: lines of data are joined by LF', 'data: YHOO\ndata: +2\ndata: 10\n\n', [message('YHOO\n+2\n10')]),
    reads('the example with a comment and ids: an id without a value resets it, and one space is stripped', ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n', [
      message('first event', '1'), message('second event'), message(' third event')
    ]),
    reads('the example of empty data: a line of data is an event, also if nothing is in it', 'data\n\ndata\ndata\n\n', [message(''), message('\n')]),
    reads('the example with and without a space', 'data:test\n\ndata: test\n\n', [message('test'), message('test')]),
    reads('comments are passed over, also within an event', ':\n: a\n:data: b\ndata: c\n:event: d\n::\n\n:\n\n', [message('c')]),
    reads('no more than one space behind the colon is stripped, and no tab', 'data:  a \n\ndata:\tb\n\ndata: \n\n', [message(' a '), message('\tb'), message('')]),
    reads('colons in a value are part of it', 'data:a:b: c\n\ndata::\n\n', [message('a:b: c'), message(':')]),
    reads('names of fields are compared as they are', 'Data: a\nDATA: b\n data: c\ndata : d\ndatum: e\ndata: f\n\n', [message('f')]),
    reads('fields that nobody knows are passed over', 'x: 1\nx\ndata: a\nevents: y\nids: 3\n\n', [message('a')]),
    reads('an event has the type that it was given, any text, and the next one has not', 'event: a\ndata: 1\n\ndata: 2\n\nevent: grün 🎨\ndata: 3\n\n', [['a', '1', ''], message('2'), ['grün 🎨', '3', '']], { types: ['a', 'grün 🎨'] }),
    reads('the last type of a block counts, and an empty one is none', 'event: a\nevent: b\ndata: 1\n\nevent: a\nevent\ndata: 2\n\nevent: a\nevent: \ndata: 3\n\n', [['b', '1', ''], message('2'), message('3')], {
      types: ['a', 'b'],
      deviations: { undici: { because: 'an empty type leaves the one before it', gives: [['b', '1', ''], ['a', '2', ''], ['a', '3', '']] } }
    }),
    reads('a block without data is no event, and its type is forgotten', 'event: a\n\ndata: 1\n\nevent: a\nretry: 100\n\ndata: 2\n\n', [message('1'), message('2')], { types: ['a'] }),
    reads('events may be called open and error', 'event: open\ndata: 1\n\nevent: error\ndata: 2\n\n', [['open', '1', ''], ['error', '2', '']]),
    reads('events have the id that was given last', 'data: 1\n\nid: a\ndata: 2\n\ndata: 3\n\nid: b\nid: c\ndata: 4\n\nid\ndata: 5\n\ndata: 6\n\n', [
      message('1'), message('2', 'a'), message('3', 'a'), message('4', 'c'), message('5'), message('6')
    ], { deviations: { eventsource: { because: NO_BUFFER, gives: [message('1'), message('2', 'a'), message('3'), message('4', 'c'), message('5'), message('6')] } } }),
    reads('an id counts from its block on, also if that has no data', 'id: a\n\ndata: 1\n\n', [message('1', 'a')], {
      deviations: {
        eventsource: { because: NO_BUFFER, gives: [message('1')] },
        Firefox: { because: NO_BUFFER_ALONE, gives: [message('1')] }
      }
    }),
    reads('an id with a NUL in it is passed over', 'id: a\ndata: 1\n\nid: b\0c\ndata: 2\n\n', [message('1', 'a'), message('2', 'a')], {
      deviations: {
        eventsource: { because: NO_BUFFER, gives: [message('1', 'a'), message('2')] },
        Firefox: { because: 'a NUL in an id costs it the event', gives: [message('1', 'a')] }
      }
    }),
    reads('an id is any text', 'id: grün 🎨: \t1\ndata: 1\n\n', [message('1', 'grün 🎨: \t1')]),
    {
      name: 'a delay that is not of digits alone is passed over',
      serve: answers(andClose(bytes('retry: 5\n\nretry: 90000x\nretry: -90000\nretry: 90000.0\nretry: 9e4\nretry: 0x15f90\nretry: ９００００\n\ndata: 1\n\n')), bytes('data: 2\n\n' + END)),
      play: async ({ open }) => events(await toEnd(await open())),
      wants: [message('1'), message('2')]
    },
    comesFirst('a delay of zero is one', 'retry: 60000\n\nretry: 0\n\n'),
    comesFirst('the last delay counts, also within a block', 'retry: 60000\nretry: 60000\nretry: 5\ndata:\n\n'),
    comesFirst('a delay with a plus before it is passed over', 'retry: 5\n\nretry: +3000\n\n', { WebKit: 'a plus may stand before a number' }),
    comesFirst('an empty delay is passed over', 'retry: 5\n\nretry:\n\nretry\n\n', { Chromium: RESETS, WebKit: RESETS }),
    comesFirst('a delay counts from its line on, also if no block ends behind it', 'retry: 3000\n\nretry: 5\n', { undici: 'it counts from the end of its block on' })
  ]
}

/** Two streams end at once: who was told so comes back before the one that shall wait for a second. */
function comesFirst (name: string, text: string, others: Partial<Record<ClientName, string>> = {}): Case {
  const back: string[] = []
  const gives = (path: string, text: string) => (app: FastifyInstance) => {
    let count = 0
    app.stream(path, async (_request, reply) => {
      if (count++ === 0) return await reply.chunk(text)
      back.push(path)
      return reply.code(204).send()
    })
  }
  return {
    name,
    serve: (app) => {
      gives('/it', text)(app)
      gives('/other', 'retry: 1000\n\n')(app)
    },
    play: async ({ app, open }) => {
      const sources = [await open('/it'), await open('/other')]
      for (const source of sources) await source.count(1, 'open')
      for (const connection of [...app.connections].slice(-2)) connection.close()
      await eventually(() => back.length !== 0, 'one of two comes back')
      for (const source of sources) await source.close()
      return back[0]
    },
    wants: '/it',
    deviations: Object.fromEntries(Object.entries(others).map(([client, because]) => [client, { because, gives: '/other' }]))
  }
}
