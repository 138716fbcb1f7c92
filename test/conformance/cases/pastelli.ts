/** What Pastelli promises, as each client has it. */
import { eventually } from '../../support/until.ts'
import { type Case, events, message, newest, ownServer, type Section, type Seen, states, toEnd } from '../case.ts'

const LINES = ['a\nb', 'a\rb', 'a\r\nb', '\n', 'a\n\n\nb\n', 'event: forged\n\ndata: forged', '\u2028', '\ufeff', ': a', ' a', '']
const EPOCH = /[^:"]+:\d+/g

export const pastelli: Section = {
  title: 'What Pastelli promises',
  cases: [
    {
      name: 'text is read as it was sent, but that a line ends with LF',
      serve: (app) => {
        app.stream('/', (_request, reply) => {
          for (const text of LINES) void reply.event(text)
          reply.event('', { event: 'end' })
        })
      },
      play: async ({ open }) => events(await toEnd(await open())),
      wants: LINES.map((text) => message(text.replaceAll(/\r\n?/g, '\n')))
    },
    {
      name: 'what can not be an event is refused where it is sent, and the events around it are read',
      serve: (app) => {
        app.stream('/', (_request, reply) => {
          const codes: unknown[] = []
          for (const options of [{ id: 'a\0b' }, { id: 'a\nb' }, { event: 'a\rb' }, { id: '\ud83c' }, { retry: -1 }, { data: 'a\ud83cb' }, { data: undefined }]) {
            const { data, ...fields } = { data: 'x', ...options }
            try {
              void reply.event(data, fields)
            } catch (error) {
              codes.push((error as { code?: unknown }).code)
            }
          }
          reply.event(codes)
          reply.event('', { event: 'end' })
        })
      },
      play: async ({ open }) => events(await toEnd(await open())),
      wants: [message(JSON.stringify([...Array(5).fill('PST_ERR_FIELD'), ...Array(2).fill('PST_ERR_DATA')]))]
    },
    {
      name: 'an event of a megabyte',
      serve: (app) => {
        app.stream('/', async (_request, reply) => {
          await reply.event('grün 🎨\n'.repeat(80_000))
          await reply.event('', { event: 'end' })
        })
      },
      play: async ({ open }) => {
        const [[, data] = ['', '']] = events(await toEnd(await open()))
        return data === 'grün 🎨\n'.repeat(80_000)
      },
      wants: true
    },
    {
      name: 'ten thousand events at once, in their order',
      serve: (app) => {
        app.stream('/', async (_request, reply) => {
          for (let n = 0; n < 10_000; n++) if (await reply.event(n, { id: n }) === false) return
          await reply.event('', { event: 'end' })
        })
      },
      play: async ({ open }) => {
        const seen = events(await toEnd(await open()))
        return [seen.length, seen.findIndex(([, data, id], n) => data !== String(n) || id !== String(n))]
      },
      wants: [10_000, -1]
    },
    {
      name: 'ten thousand events of a topic that are published at once, in their order',
      serve: (app) => { app.stream('/', { topics: 'conformance-many' }) },
      play: async ({ app, open }) => {
        const source = await open()
        await source.count(1, 'open')
        for (let n = 0; n < 10_000; n++) app.topics.publish('conformance-many', n)
        app.topics.publish('conformance-many', '', { event: 'end' })
        const seen = events(await toEnd(source))
        return [seen.length, seen.findIndex(([, data], n) => data !== String(n))]
      },
      wants: [10_000, -1]
    },
    {
      name: 'compressed events are read when they come',
      serve: (app) => { app.stream('/', { compression: ['gzip'], topics: 'conformance-gzip' }) },
      play: async ({ app, open, requests }) => {
        const source = await open()
        await source.count(1, 'open')
        for (const n of [1, 2, 3]) {
          app.topics.publish('conformance-gzip', `grün ${n}`)
          await source.count(n, 'message')
        }
        await source.close()
        return { accepts: requests[0]!.headers['accept-encoding']?.includes('gzip'), data: data(events(await source.told())) }
      },
      wants: { accepts: true, data: ['grün 1', 'grün 2', 'grün 3'] }
    },
    {
      name: 'heartbeats are no events',
      serve: (app) => { app.stream('/', { heartbeat: 20 }, () => {}) },
      play: async ({ app, open }) => {
        const source = await open()
        await source.count(1, 'open')
        const connection = newest(app)
        const { bytes } = connection
        await eventually(() => connection.bytes > bytes + 20, 'two heartbeats have been sent')
        void connection.event('', { event: 'end' })
        return (await toEnd(source)).map(({ type }) => type)
      },
      wants: ['open']
    },
    {
      name: 'heartbeats that shall be events are events, and tell the position',
      serve: (app) => { app.stream('/', { heartbeat: 20, heartbeatEvent: 'alive', topics: 'conformance-alive' }) },
      play: async ({ app, open }) => {
        const source = await open('/', { types: ['alive'] })
        await source.count(3, 'alive')
        await source.close()
        return events(await source.told()).slice(0, 3).map(([type, data, id]) => [type, data, id === app.topics.position])
      },
      wants: Array(3).fill(['alive', '', true])
    },
    {
      name: 'who comes with a position that is not known is told of the gap',
      serve: (app) => { app.stream('/', { topics: 'conformance-gap' }) },
      play: async ({ app, open }) => {
        const source = await open('/?lastEventId=another:1', { types: ['gap'] })
        await source.count(1, 'gap')
        app.topics.publish('conformance-gap', 1)
        await source.count(1, 'message')
        await source.close()
        return data(events(await source.told())).map((text) => text.replaceAll(EPOCH, (position) => position === 'another:1' ? position : 'position'))
      },
      wants: ['{"reason":"foreign","from":"another:1","to":"position"}', '1']
    },
    {
      name: 'who was away gets what was published meanwhile, in order, without a gap or a duplicate',
      serve: (app) => { app.stream('/', { topics: 'conformance-away', retry: 5 }) },
      play: async ({ app, open, requests }) => {
        const source = await open('/', { types: ['gap'] })
        await source.count(1, 'open')
        let count = 0
        const publish = (up: number) => { while (count < up) app.topics.publish('conformance-away', count++) }
        const sent: unknown[] = []
        for (const leave of ['close', 'destroy'] as const) {
          publish(count + 10)
          await source.count(count, 'message')
          sent.push(app.topics.position)
          newest(app)[leave]()
          publish(count + 10)
          await source.count(count, 'message')
        }
        await source.close()
        const told = await source.told()
        return {
          data: data(events(told)),
          states: states(told),
          sent: requests.map(({ headers }, n) => headers['last-event-id'] === sent[n - 1])
        }
      },
      wants: { data: Array.from({ length: 40 }, (_, n) => String(n)), states: ['open', 'error 0', 'open', 'error 0', 'open'], sent: [true, true, true] }
    },
    beforeItsFirstEvent('who is cut before its first event misses nothing', {}, 'conformance-first', {
      eventsource: { because: 'an id without data is passed over', gives: ['2'] },
      Firefox: { because: 'an id without data is passed over', gives: ['2'] },
      WebKit: { because: 'an id without data is passed over', gives: ['2'] }
    }),
    beforeItsFirstEvent('nor does it anywhere where heartbeats are events', { heartbeatEvent: 'alive' }, 'conformance-alive-first'),
    {
      name: 'a server that closes and comes back is found again, and tells of the gap',
      play: async (scene) => {
        const start = async (port?: number) => await ownServer(scene, (app) => { app.stream('/', { topics: 'a' }) }, { pastelli: { retry: 10 } }, port)
        const first = await start()
        const source = await scene.client.open(first.origin + '/', { types: ['gap'] })
        await source.count(1, 'open')
        first.app.topics.publish('a', 1)
        await source.count(1, 'message')
        await first.app.close()
        const second = await start(first.port)
        await source.count(1, 'gap')
        second.app.topics.publish('a', 2)
        await source.count(2, 'message')
        await source.close()
        const told = await source.told()
        return { types: events(told).map(([type]) => type), states: states(told).filter((state, index, all) => state !== all[index - 1]) }
      },
      wants: { types: ['message', 'gap', 'message'], states: ['open', 'error 0', 'open'] }
    }
  ]
}

const data = (seen: readonly Seen[]) => seen.map(([, data]) => data)

function beforeItsFirstEvent (name: string, options: { heartbeatEvent?: string }, topic: string, deviations: Case['deviations'] = {}): Case {
  return {
    name,
    serve: (app) => { app.stream('/', { topics: topic, retry: 5, ...options }) },
    play: async ({ app, open }) => {
      const source = await open('/', { types: ['gap', 'alive'] })
      await source.count(1, options.heartbeatEvent ?? 'open')
      newest(app).close()
      app.topics.publish(topic, 1)
      await source.count(2, 'open')
      app.topics.publish(topic, 2)
      app.topics.publish(topic, '', { event: 'end' })
      return data(events(await toEnd(source)).filter(([type]) => type !== 'alive'))
    },
    wants: ['1', '2'],
    deviations
  }
}
