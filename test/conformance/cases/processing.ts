/** Which responses are streams, which end it for good, and how it comes back. */
import type { FastifyInstance } from 'fastify'
import { andClose, answers, bytes, type Case, type Deviations, END, events, message, newest, ownServer, type Section, states, toEnd } from '../case.ts'

const CONTENT_TYPES = ['text/event-stream', 'text/event-stream;', 'text/event-stream; charset=utf-8', 'text/event-stream;charset=windows-1251', 'text/event-stream; foo=bar', 'TEXT/Event-Stream']
const OTHER_TYPES = ['text/plain', 'text/event-stream-foo', 'application/x-ndjson', 'text/html']
const OTHERS: Record<string, Deviations> = {
  'TEXT/Event-Stream': { eventsource: { because: 'it compares letters as they are', gives: ['error 2'] } },
  'text/event-stream;charset=windows-1251': { Chromium: { because: 'it takes no charset but UTF-8', gives: ['error 2'] } },
  'text/event-stream-foo': { eventsource: { because: 'it looks at the start of the type alone', gives: ['open'] } }
}
const STATUSES = [204, 404, 429, 500, 503]

export const processing: Section = {
  title: '9.2.3 Processing model',
  cases: [
    ...CONTENT_TYPES.map((type): Case => ({
      name: `${type} is a stream, in UTF-8`,
      serve: (app) => {
        app.get('/', (_request, reply) => {
          reply.raw.setHeader('content-type', type)   // as it is: Fastify would add a charset
          reply.sendChunked().chunk('data: grün\n\n' + END)
        })
      },
      play: async ({ open }) => {
        const told = await toEnd(await open())
        return [...states(told), ...events(told)]
      },
      wants: ['open', message('grün')],
      ...OTHERS[type] && { deviations: OTHERS[type] }
    })),
    ...OTHER_TYPES.map((type): Case => ({
      name: `${type} ends it for good`,
      serve: (app) => {
        app.get('/', (_request, reply) => {
          reply.raw.setHeader('content-type', type)
          reply.sendChunked().chunk('data: a\n\n' + END)
          reply.closeChunk()   // some want to see more of it before they say what it is
        })
      },
      play: async ({ open }) => states(await toEnd(await open())),
      wants: ['error 2'],
      ...OTHERS[type] && { deviations: OTHERS[type] }
    })),
    {
      name: 'another status than 200 ends it for good, also when it comes back',
      serve: (app) => {
        const known = new Set<string>()
        app.stream<{ Params: { status: string } }>('/:status', ({ params: { status } }, reply) => {
          if (known.has(status)) return reply.code(Number(status)).send(status === '204' ? undefined : {})
          known.add(status)
          reply.event('a', { retry: 5 })
          reply.closeChunk()
        })
      },
      play: async ({ open, requests }) => {
        const sources = await Promise.all(STATUSES.map(async (status) => await open(`/${status}`)))
        const told = []
        for (const source of sources) {
          await source.over()
          told.push(states(await source.told()))
        }
        return { told, requests: requests.length }
      },
      wants: { told: STATUSES.map(() => ['open', 'error 0', 'error 2']), requests: 2 * STATUSES.length }
    },
    ...[301, 302, 303, 307, 308].map((status): Case => ({
      name: `${status} is followed`,
      serve: (app) => {
        app.get('/', async (_request, reply) => await reply.redirect('there/', status))
        app.stream('/there/', (_request, reply) => { reply.chunk('data: a\n\n' + END) })
      },
      play: async ({ open }) => events(await toEnd(await open())),
      wants: [message('a')]
    })),
    {
      name: 'when its stream ends it comes back',
      serve: answers(andClose(bytes('retry: 5\ndata: 1\n\n')), andClose(bytes('data: 2\n\n')), bytes('data: 3\n\n' + END)),
      play: async ({ open }) => {
        const told = await toEnd(await open())
        return { events: events(told), states: states(told) }
      },
      wants: { events: [message('1'), message('2'), message('3')], states: ['open', 'error 0', 'open', 'error 0', 'open'] }
    },
    {
      name: 'when its stream is cut, in the midst of an event, it comes back',
      serve: answers(bytes('retry: 5\ndata: 1\n\ndata: 2\n'), bytes('data: 3\n\n' + END)),
      play: async ({ app, open }) => {
        const source = await open()
        await source.count(1, 'message')
        newest(app).destroy()
        const told = await toEnd(source)
        return { events: events(told), states: states(told) }
      },
      wants: { events: [message('1'), message('3')], states: ['open', 'error 0', 'open'] }
    },
    {
      name: 'one whose connects are refused goes on to try',
      play: async (scene) => {
        const setup = (text: string) => (app: FastifyInstance) => { app.stream('/', (_request, reply) => { reply.chunk(text) }) }
        const { app, origin, port } = await ownServer(scene, setup('data: 1\n\n'), { pastelli: { retry: 5 } })
        const source = await scene.client.open(origin + '/')
        await source.count(1, 'message')
        await app.close()
        await source.count(2, 'error')
        await ownServer(scene, setup('data: 2\n\n' + END), {}, port)
        const told = await toEnd(source)
        return { events: events(told), states: states(told).filter((state, index, all) => state !== all[index - 1]) }
      },
      wants: { events: [message('1'), message('2')], states: ['open', 'error 0', 'open'] }
    }
  ]
}
