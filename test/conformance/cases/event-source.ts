/** The object: its state, its attributes, what it asks for. */
import { answers, bytes, END, newest, type Section, states, toEnd } from '../case.ts'

export const eventSource: Section = {
  title: '9.2.2 The EventSource interface',
  cases: [
    {
      name: 'it is open once the head has come, also before the first event, and closed when it is told so',
      serve: (app) => { app.stream('/', () => {}) },
      play: async ({ open, base }) => {
        const source = await open()
        await source.count(1, 'open')
        const { url, ...attributes } = await source.attributes()
        await source.close()
        return { told: states(await source.told()), url: url.replace(base, ''), ...attributes, then: (await source.attributes()).readyState }
      },
      wants: { told: ['open'], url: '/', readyState: 1, withCredentials: false, then: 2 }
    },
    {
      name: 'one that is closed has left its stream',
      serve: (app) => { app.stream('/', () => {}) },
      play: async ({ app, open }) => {
        const source = await open()
        await source.count(1, 'open')
        const { closed } = newest(app)
        await source.close()
        return { reason: await closed, told: states(await source.told()) }
      },
      wants: { reason: 'client', told: ['open'] }
    },
    {
      name: 'it asks for an event stream, and gets one where other formats are as good',
      serve: (app) => { app.stream('/', { formats: ['ndjson', 'json', 'text', 'event-stream'] }, (_request, reply) => { reply.event('', { event: 'end' }) }) },
      play: async ({ open, requests }) => {
        await toEnd(await open())
        return requests[0]!.headers.accept
      },
      wants: 'text/event-stream'
    },
    {
      name: 'it asks for nothing that a cache has',
      serve: answers(bytes(END)),
      play: async ({ open, requests }) => {
        await toEnd(await open())
        return requests[0]!.headers['cache-control']
      },
      wants: 'no-cache'
    },
    {
      name: 'events have the origin of their stream',
      serve: answers(bytes('data: a\n\n' + END)),
      play: async ({ open, base }) => {
        const [, { origin = '' } = {}] = await toEnd(await open())
        return base.startsWith(origin + '/')
      },
      wants: true
    }
  ]
}
