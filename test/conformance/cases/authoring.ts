/** How many streams a page may have, and what becomes of them when it is left. */
import { eventually } from '../../support/until.ts'
import { events, newest, ownServer, type Section, states } from '../case.ts'
import type { Source } from '../client.ts'

const pagesOnly = 'only pages have a limit, and are left'
const MANY = 12

declare const history: { back: () => void }
declare global {
  interface Window {
    shown: boolean[]
    seen: unknown[]
  }
}

const LIMIT = 6

export const authoring: Section = {
  title: '9.2.7 Authoring notes, and 9.2.9 Garbage collection',
  cases: [
    {
      name: 'over HTTP/1.1 a page has six streams at once, and the next one when one of them is closed',
      pagesOnly,
      play: async (scene) => {
        const { app, origin } = await ownServer(scene, (app) => { app.stream('/', () => {}) })
        let most = 0
        app.connections.on('open', () => { most = Math.max(most, app.connections.size) })
        const sources: Source[] = []
        for (let n = 0; n < MANY; n++) sources.push(await scene.client.open(origin + '/'))
        for (const source of sources) {
          await source.count(1, 'open')
          await source.close()
        }
        return most
      },
      wants: LIMIT
    },
    {
      name: 'over HTTP/2 it has as many as it wants',
      pagesOnly,
      play: async (scene) => {
        const { app, origin } = await ownServer(scene, (app) => { app.stream('/', { topics: 'a' }) }, { tls: true, http2: true })
        const sources: Source[] = []
        for (let n = 0; n < MANY; n++) sources.push(await scene.client.open(origin + '/'))
        for (const source of sources) await source.count(1, 'open')
        const { size } = app.connections
        const transports = new Set([...app.connections].map(({ transport }) => transport))
        app.topics.publish('a', 1)
        for (const source of sources) await source.count(1, 'message')
        for (const source of sources) await source.close()
        await eventually(() => app.connections.size === 0, 'all have left')
        return { size, transports: [...transports], reasons: app.connections.counts.client }
      },
      wants: { size: MANY, transports: ['http2'], reasons: MANY }
    },
    {
      name: 'over HTTP/2 it comes back where it was',
      pagesOnly,
      play: async (scene) => {
        const { app, origin } = await ownServer(scene, (app) => { app.stream('/', { topics: 'a', retry: 5 }) }, { tls: true, http2: true })
        const source = await scene.client.open(origin + '/')
        await source.count(1, 'open')
        app.topics.publish('a', 0)
        await source.count(1, 'message')
        newest(app).close()
        app.topics.publish('a', 1)
        await source.count(2, 'message')
        await source.close()
        const told = await source.told()
        return { data: events(told).map(([, data]) => data), states: states(told) }
      },
      wants: { data: ['0', '1'], states: ['open', 'error 0', 'open'] }
    },
    {
      name: 'over HTTP/2 it notices that its stream was reset, no later than that another one ended behind it',
      pagesOnly,
      play: async (scene) => {
        const { app, origin } = await ownServer(scene, (app) => {
          app.stream('/cut', () => {})
          app.stream('/ended', () => {})
        }, { tls: true, http2: true })
        const cut = await scene.client.open(origin + '/cut')
        await cut.count(1, 'open')
        const ended = await scene.client.open(origin + '/ended')
        await ended.count(1, 'open')
        const [first, second] = app.connections
        first!.destroy()
        second!.close()
        await ended.count(1, 'error')
        const told = [cut, ended].map(async (source) => states(await source.told()))
        for (const source of [cut, ended]) await source.close()
        return await Promise.all(told)
      },
      wants: [['open', 'error 0'], ['open', 'error 0']],
      deviations: { WebKit: { because: 'it does not notice', gives: [['open'], ['open', 'error 0']] } }
    },
    {
      name: 'a page that is left has left its streams; one that is come back to has them again',
      pagesOnly,
      play: async (scene) => {
        const page = scene.client.page!
        const { app, origin } = await ownServer(scene, (app) => {
          app.get('/other', async (_request, reply) => await reply.type('text/html').send('<!doctype html><title>other</title>'))
          app.get('/live', async (_request, reply) => await reply.type('text/html').send(`<!doctype html><title>live</title><script>
            window.seen = []
            window.shown = []
            addEventListener('pageshow', ({ persisted }) => { shown.push(persisted) })
            new EventSource('/').onmessage = ({ data }) => { seen.push(data) }
          </script>`))
          app.stream('/', { topics: 'a', retry: 5 })
        })
        const reasons: string[] = []
        app.connections.on('close', (_connection, reason) => { reasons.push(reason) })
        await page.goto(origin + '/live')
        await eventually(() => app.connections.size === 1, 'the stream is open')
        app.topics.publish('a', 1)
        await page.until(() => window.seen.length === 1)
        await page.goto(origin + '/other')
        await eventually(() => reasons.length === 1, 'the stream is left')
        app.topics.publish('a', 2)
        await page.evaluate(() => { history.back() })
        await eventually(() => app.connections.size === 1, 'the stream is open again')
        app.topics.publish('a', 3)
        await page.until(() => window.seen.includes('3'))
        return await page.evaluate(() => ({ shown: window.shown, seen: window.seen }))
      },
      wants: { shown: [false], seen: ['3'] },
      deviations: { WebKit: { because: 'it keeps the page as it was, and its stream comes back where it was', gives: { shown: [false, true], seen: ['1', '2', '3'] } } }
    }
  ]
}
