/** The client as a page has it, in any browser: modules as they are built, no bundler. And the browser's own EventSource beside it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import tap, { type Test } from 'tap'
import type { connect, ConnectOptions } from '../../client/index.ts'
import { spawnServer } from '../support/counting.ts'
import { type Gate, openGate } from '../support/gate.ts'
import { type Browser, type BrowserName, openBrowser, type Page, withoutBrowser } from '../support/pages.ts'
import { type Server, start } from '../support/server.ts'
import { until } from '../support/until.ts'

// A browser on a busy machine takes its time.
const PATIENCE = 100_000

const CLIENT = new URL('../../client/', import.meta.url)
const PARSER = fileURLToPath(import.meta.resolve('eventsource-parser'))
const PAGE = `<!doctype html><title>client</title>
<script type="importmap">{ "imports": { "eventsource-parser": "/parser.js", "pastelli/client": "/client/index.js", "pastelli/client/shared": "/client/shared.js", "pastelli/client/websocket": "/client/websocket.js" } }</script>
<script type="module">
import { connect } from 'pastelli/client'
import { connectShared } from 'pastelli/client/shared'
import { webSocket } from 'pastelli/client/websocket'
window.open = (address, { isShared = false, transport, ...options }) => {
  window.seen = []
  window.states = []
  window.errors = []
  window.gaps = []
  window.stream = (isShared ? connectShared : connect)(address, { retry: 5, onGap: (gap) => { gaps.push(gap) }, onState: (state, { error }) => { states.push(state); if (error) errors.push({ code: error.code, status: error.status }) }, ...transport === 'websocket' && { transport: webSocket }, ...options })
  stream.on('message', ({ data }) => { seen.push(data) })
}
window.complaints = []
addEventListener('error', ({ message }) => { complaints.push(message) })
addEventListener('unhandledrejection', ({ reason }) => { complaints.push(String(reason)) })
window.isReady = true
</script>`

declare global {
  interface Window {
    isReady: boolean
    seen: unknown[]
    states: string[]
    errors: unknown[]
    gaps: Array<{ reason: string }>
    complaints: string[]
    source: { close: () => void }
    EventSource: new (url: string) => { addEventListener: (type: string, listener: (event: { data: string }) => void) => void, close: () => void }
    stream: ReturnType<typeof connect>
    open: (address: string, options: Omit<ConnectOptions, 'transport'> & { isShared?: boolean, transport?: 'fetch' | 'websocket' }) => void
  }
  const window: Window
}

function servePage (app: FastifyInstance): void {
  app.get('/', async (_request, reply) => await reply.type('text/html').send(PAGE))
  app.get('/parser.js', async (_request, reply) => await reply.type('text/javascript').send(await readFile(PARSER)))
  app.get<{ Params: { file: string } }>('/client/:file', async ({ params }, reply) => await reply.type('text/javascript').send(await readFile(new URL(params.file, CLIENT))))
}

interface Visit { server: Server, gate: Gate, page: Page }

async function visit (t: Test, browser: Browser, setup: (app: FastifyInstance) => unknown): Promise<Visit> {
  const server = await start(t, (app) => {
    servePage(app)
    return setup(app)
  })
  const gate = await openGate(t, server.port)
  const page = await browser()
  await page.goto(gate.origin)
  await page.until(() => window.isReady)
  return { server, gate, page }
}

/** Closes the stream of the page; fails the test if anything there was not caught. */
async function leave (t: Test, page: Page): Promise<void> {
  await page.evaluate(() => { window.stream.close() })
  t.same(await page.evaluate(() => window.complaints), [])
}

const upTo = (count: number, from = 0): number[] => Array.from({ length: count }, (_, n) => from + n)

export async function inBrowser (name: BrowserName): Promise<void> {
  tap.setTimeout(PATIENCE)
  await tap.test(`in ${name}`, { skip: withoutBrowser(name), timeout: PATIENCE }, async (t) => {
    const browser = await openBrowser(t, name)

    for (const transport of ['fetch', 'websocket'] as const) {
      await t.test(`a cut by ${transport} costs no event`, async (t) => {
        const { server, gate, page } = await visit(t, browser, (app) => { app.stream('/feed', { topics: 'a', websocket: {} }) })
        await page.evaluate((transport) => { window.open('/feed', { transport }) }, transport)
        await page.until(() => window.stream.lastEventId)
        for (let n = 0; n < 200; n++) {
          server.app.topics.publish('a', n)
          if (n === 100) gate.cut()
          if (n === 101) await page.until(() => window.states.filter((state) => state === 'open').length === 2)
        }
        await page.until(() => window.seen.length >= 200)
        t.same(await page.evaluate(() => window.seen), upTo(200))
        t.same(await page.evaluate(() => window.states), ['connecting', 'open', 'waiting', 'connecting', 'open'])
        await leave(t, page)
        await until(() => server.app.connections.size === 0)
      })

      await t.test(`a server that is killed and comes back at the same port tells the gap, by ${transport}`, async (t) => {
        const { gate, page } = await visit(t, browser, () => {})
        const first = await spawnServer(t)
        gate.target = first.port
        gate.cut()
        await page.evaluate((transport) => { window.open('/', { transport }) }, transport)
        await page.until(() => window.seen.length > 3)
        await first.kill('SIGKILL')
        await page.until(() => window.states.includes('waiting'))
        const seen = await page.evaluate(() => window.seen)
        t.same(seen, upTo(seen.length), 'none is missing before that')
        await spawnServer(t, first.port)
        await page.until((before) => window.seen.length > before + 3, seen.length)
        t.match(await page.evaluate(() => window.gaps), [{ reason: 'foreign' }])
        const after = (await page.evaluate(() => window.seen)).slice(seen.length)
        t.same(after, upTo(after.length), 'nor behind it')
        await leave(t, page)
      })

      await t.test(`a frozen server is found by its silence, and nothing is missed when it thaws, by ${transport}`, async (t) => {
        const { gate, page } = await visit(t, browser, () => {})
        const server = await spawnServer(t)
        gate.target = server.port
        gate.cut()
        await page.evaluate((transport) => { window.open('/', { transport, heartbeatTimeout: 300 }) }, transport)
        await page.until(() => window.seen.length > 3)
        void server.kill('SIGSTOP')
        await page.until(() => window.errors.length > 1)
        t.match(await page.evaluate(() => window.errors.slice(0, 2)), [{ code: 'PST_ERR_SILENT' }, { code: 'PST_ERR_SILENT' }])
        void server.kill('SIGCONT')
        const frozen = await page.evaluate(() => window.seen.length)
        await page.until((frozen) => window.seen.length > frozen + 3, frozen)
        const seen = await page.evaluate(() => window.seen) as number[]
        t.same(seen, upTo(seen.length, seen[0]))
        t.same(await page.evaluate(() => window.gaps), [])
        await leave(t, page)
      })

      await t.test(`a proxy that cuts everything after a second costs no event, by ${transport}`, async (t) => {
        const { server, gate, page } = await visit(t, browser, (app) => { app.stream('/feed', { topics: 'a', websocket: {} }) })
        gate.age = 1_000
        gate.cut()
        await page.evaluate((transport) => { window.open('/feed', { transport }) }, transport)
        await page.until(() => window.stream.lastEventId)
        let count = 0
        const timer = setInterval(() => { server.app.topics.publish('a', count++) }, 5)
        t.teardown(() => { clearInterval(timer) })
        await page.until(() => window.states.filter((state) => state === 'open').length > 3)
        clearInterval(timer)
        await page.until((count) => window.seen.length >= count, count)
        t.same(await page.evaluate(() => window.seen), upTo(count))
        await leave(t, page)
      })
    }

    await t.test('a POST has its token and its body, and a refusal its status', async (t) => {
      const { server, page } = await visit(t, browser, (app) => {
        app.stream('/feed', { method: 'POST' }, ({ headers, body }, reply) => {
          if (headers.authorization === undefined) return reply.code(401).send()
          reply.event({ by: headers.authorization, body })
        })
      })
      await page.evaluate(() => {
        window.open('/feed', { method: 'POST', headers: async () => ({ authorization: 'Bearer x', 'content-type': 'application/json' }), body: '{"n":1}' })
      })
      await page.until(() => window.seen.length === 1)
      t.same(await page.evaluate(() => window.seen), [{ by: 'Bearer x', body: { n: 1 } }])
      await page.evaluate(() => {
        window.stream.close()
        window.open('/feed', { method: 'POST' })
      })
      await page.until(() => window.stream.state === 'closed')
      t.same(await page.evaluate(() => window.errors), [{ code: 'PST_ERR_REFUSED', status: 401 }])
      await until(() => server.app.connections.size === 0)
    })

    await t.test('a loop over a stream is not ahead of who reads', async (t) => {
      const { page } = await visit(t, browser, (app) => {
        app.stream('/many', {}, async function * () { for (let n = 0; n < 5_000; n++) yield n })
      })
      const read = await page.evaluate(async () => {
        window.open('/many', { reopen: false, buffer: 5 })
        const seen: unknown[] = []
        for await (const { data } of window.stream) seen.push(data)
        return seen
      })
      t.same(read, upTo(5_000))
      await leave(t, page)
    })

    await t.test('tabs share one connection, and none misses anything when the one that leads stands still, or is closed', async (t) => {
      const { server, gate, page: first } = await visit(t, browser, (app) => { app.stream('/feed', { topics: 'a', heartbeat: 100 }) })
      const pages = [first, await browser(), await browser()]
      for (const page of pages) {
        if (page !== first) await page.goto(gate.origin)
        await page.until(() => window.isReady)
        await page.evaluate(() => { window.open('/feed', { isShared: true, heartbeatTimeout: 900 }) })
        await page.until(() => window.stream.lastEventId)
      }
      t.equal(server.app.connections.size, 1)
      let count = 0
      const timer = setInterval(() => { server.app.topics.publish('a', count++) }, 5)
      t.teardown(() => { clearInterval(timer) })
      const goOn = async (page: Page) => { await page.until((count) => window.seen.length > count, count + 20) }
      for (const page of pages) await goOn(page)
      await first.evaluate(() => { for (const end = Date.now() + 4_000; Date.now() < end;); })
      for (const page of pages) await goOn(page)
      // Elsewhere tabs may have one process, and stand still together.
      if (name === 'Chromium') {
        const errors = [...await pages[1]!.evaluate(() => window.errors), ...await pages[2]!.evaluate(() => window.errors)]
        t.match(errors[0], { code: 'PST_ERR_SILENT' }, 'it was deposed meanwhile')
      }
      gate.cut()
      for (const page of pages) await goOn(page)
      await first.close()
      for (const page of pages.slice(1)) await goOn(page)
      clearInterval(timer)
      for (const page of pages.slice(1)) {
        await page.until((count) => window.seen.length >= count, count)
        t.same(await page.evaluate(() => window.seen), upTo(count))
        t.same(await page.evaluate(() => window.gaps), [])
      }
      await until(() => server.app.connections.size === 1)
      for (const page of pages.slice(1)) await leave(t, page)
      await until(() => server.app.connections.size === 0)
    })

    await t.test('its own EventSource comes back where it was, also where it had no event yet, and is told of a gap', async (t) => {
      const { server, gate, page } = await visit(t, browser, (app) => { app.stream('/feed', { topics: 'a', retry: 50, heartbeatEvent: 'alive' }) })
      await page.evaluate(() => {
        window.seen = []
        window.gaps = []
        window.states = []
        const source = new window.EventSource('/feed')
        window.source = source
        source.addEventListener('message', ({ data }) => { window.seen.push(Number(data)) })
        source.addEventListener('alive', () => { window.states.push('alive') })
        source.addEventListener('gap', ({ data }) => { window.gaps.push(JSON.parse(data)) })
      })
      const publish = (n: number) => server.app.topics.publish('a', n)
      const sees = async (count: number) => {
        await page.until((count) => window.seen.length >= count, count)
        t.same(await page.evaluate(() => window.seen), upTo(count))
      }
      await page.until(() => window.states.length === 1)
      gate.shut()
      await until(() => server.app.connections.size === 0)
      publish(0)
      gate.shut(false)
      await sees(1)
      for (let n = 1; n < 40; n++) publish(n)
      gate.cut()
      for (let n = 40; n < 80; n++) publish(n)
      await sees(80)
      for (const connection of server.app.connections) connection.close()
      for (let n = 80; n < 120; n++) publish(n)
      await sees(120)
      t.same(await page.evaluate(() => window.gaps), [])
      const other = await spawnServer(t)
      gate.target = other.port
      gate.cut()
      await page.until(() => window.seen.length > 123)
      t.match(await page.evaluate(() => window.gaps), [{ reason: 'foreign' }])
      await page.evaluate(() => { window.source.close() })
      await until(() => server.app.connections.size === 0)
    })
  })
}
