/** Streams of another origin, with and without credentials. */
import cors, { type FastifyCorsOptions } from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { start } from '../../support/server.ts'
import { eventually } from '../../support/until.ts'
import { type Case, events, message, newest, type Scene, type Section, states } from '../case.ts'
import type { OpenOptions } from '../record.ts'

const pagesOnly = 'only pages have an origin and cookies'
const POSITION = 'm3x9q0zk:9007199254740991'

export const origins: Section = {
  title: '9.2.2 and 9.2.3, for other origins and with cookies',
  cases: [
    {
      name: 'a cookie that comes with the head of a stream is sent when it comes back',
      pagesOnly,
      serve: (app) => {
        app.stream('/', (_request, reply) => {
          reply.header('set-cookie', ['conformance-a=1', 'conformance-b=2; HttpOnly'])
          reply.chunk('retry: 5\n\nevent: end\ndata:\n\n')
        })
      },
      play: async ({ app, open, requests }) => {
        const source = await open()
        await source.count(1, 'end')
        newest(app).close()
        await source.count(2, 'end')
        await source.close()
        return cookies(requests)
      },
      wants: ['', 'conformance-a=1; conformance-b=2']
    },
    elsewhere('one that does not allow it ends it for good', () => null, {}, { told: ['error 2'], cookies: [''] }),
    elsewhere('one that allows all origins is read, without cookies', () => ({ origin: '*' }), {}, { told: ['open', message('a'), 'error 0', 'open', message('a')], cookies: ['', ''] }),
    elsewhere('one that allows another origin ends it for good', () => ({ origin: ['http://other.example'] }), {}, { told: ['error 2'], cookies: [''] }),
    elsewhere('with credentials, one that allows this origin is read, and gets its cookies', (here) => ({ origin: [here], credentials: true }), { withCredentials: true }, {
      told: ['open', message('a'), 'error 0', 'open', message('a')], cookies: ['', 'elsewhere=1']
    }),
    elsewhere('without credentials, one that allows them gets no cookies', (here) => ({ origin: [here], credentials: true }), {}, {
      told: ['open', message('a'), 'error 0', 'open', message('a')], cookies: ['', '']
    }),
    elsewhere('with credentials, one that allows all origins ends it for good', () => ({ origin: '*', credentials: true }), { withCredentials: true }, { told: ['error 2'], cookies: [''] }),
    elsewhere('with credentials, one that does not allow them ends it for good', (here) => ({ origin: [here] }), { withCredentials: true }, { told: ['error 2'], cookies: [''] }),
    asksBefore('a position of Pastelli\'s', POSITION),
    asksBefore('an id of 128 bytes', 'x'.repeat(128)),
    asksBefore('an id of 129 bytes', 'x'.repeat(129)),
    asksBefore('an id with a bracket in it', 'a(b)')
  ]
}

declare const document: { cookie: string }

const cookies = (requests: readonly FastifyRequest[]) => requests.map(({ headers }) => (headers.cookie ?? '').split('; ').filter((cookie) => /conformance-|elsewhere/.test(cookie)).sort().join('; '))

/** What a server tells the pages of other origins, by the origin of the page; null: nothing. */
type Allow = (here: string) => FastifyCorsOptions | null

interface Elsewhere { origin: string, app: FastifyInstance, requests: FastifyRequest[] }

async function startElsewhere ({ t, base }: Scene, allow: Allow, setup: (app: FastifyInstance) => unknown): Promise<Elsewhere> {
  const requests: FastifyRequest[] = []
  const allowed = allow(new URL(base).origin)
  const { origin, app } = await start(t, async (app) => {
    app.addHook('onRequest', async (request) => { requests.push(request) })
    if (allowed !== null) await app.register(cors, allowed)
    await setup(app)
  })
  return { origin, app, requests }
}

function elsewhere (name: string, allow: Allow, options: OpenOptions, wants: unknown): Case {
  return {
    name,
    pagesOnly,
    play: async (scene) => {
      const { origin, app, requests } = await startElsewhere(scene, allow, (app) => {
        app.stream('/', (_request, reply) => {
          reply.header('set-cookie', 'elsewhere=1')
          reply.chunk('retry: 5\ndata: a\n\n')
        })
      })
      // Of a cookie that another case has left, nobody knows anything.
      await scene.client.page?.evaluate(() => { document.cookie = 'elsewhere=; max-age=0; path=/' })
      const source = await scene.client.open(origin + '/', options)
      const isOver = async () => (await source.told()).some(({ readyState, data }) => readyState === 2 || data !== undefined)
      await eventually(isOver, 'it has been read, or failed')
      if ((await source.attributes()).readyState !== 2) {
        newest(app).close()
        await source.count(2, 'message')
        await source.close()
      }
      const told = (await source.told()).flatMap((one): unknown[] => one.data === undefined ? states([one]) : events([one]))
      return { told, cookies: cookies(requests.filter(({ method }) => method === 'GET')) }
    },
    wants
  }
}

/** Whether a preflight comes ahead of the request that says where it was. */
function asksBefore (name: string, id: string): Case {
  return {
    name: `${name} comes back to another origin without a preflight`,
    pagesOnly,
    play: async (scene) => {
      const { origin, app, requests } = await startElsewhere(scene, (here) => ({ origin: [here], credentials: true }), (app) => {
        app.stream('/', (_request, reply) => { reply.chunk(`retry: 5\nid: ${id}\ndata: a\n\n`) })
      })
      const source = await scene.client.open(origin + '/', { withCredentials: true })
      await source.count(1, 'message')
      newest(app).close()
      await source.count(2, 'message')
      await source.close()
      return requests.map(({ method, headers }) => [method, headers['last-event-id'] ?? null])
    },
    wants: [['GET', null], ['GET', id]]
  }
}
