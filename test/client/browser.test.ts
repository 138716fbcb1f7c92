/** The client as a page has it: modules as they are built, no bundler, in Chromium. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { connect, ConnectOptions } from '../../client/index.ts'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { type Gate, openGate } from '../support/gate.ts'
import { type Server, start } from '../support/server.ts'
import { until } from '../support/until.ts'

// A browser on a busy machine takes its time.
t.setTimeout(60_000)

const CLIENT = new URL('../../client/', import.meta.url)
const PARSER = fileURLToPath(import.meta.resolve('eventsource-parser'))
const PAGE = `<!doctype html><title>client</title>
<script type="importmap">{ "imports": { "eventsource-parser": "/parser.js", "pastelli/client": "/client/index.js" } }</script>
<script type="module">
import { connect } from 'pastelli/client'
window.open = (address, options) => {
  window.seen = []
  window.states = []
  window.errors = []
  window.stream = connect(address, { retry: 5, onState: (state, { error }) => { states.push(state); if (error) errors.push({ code: error.code, status: error.status }) }, ...options })
  stream.on('message', ({ data }) => { seen.push(data) })
}
window.isReady = true
</script>`

declare global {
  interface Window {
    isReady: boolean
    seen: unknown[]
    states: string[]
    errors: unknown[]
    stream: ReturnType<typeof connect>
    open: (address: string, options: ConnectOptions) => void
  }
  const window: Window
}

function servePage (app: FastifyInstance): void {
  app.get('/', async (_request, reply) => await reply.type('text/html').send(PAGE))
  app.get('/parser.js', async (_request, reply) => await reply.type('text/javascript').send(await readFile(PARSER)))
  app.get<{ Params: { file: string } }>('/client/:file', async ({ params }, reply) => await reply.type('text/javascript').send(await readFile(new URL(params.file, CLIENT))))
}

async function visit (t: Test, setup: (app: FastifyInstance) => unknown): Promise<{ server: Server, gate: Gate, page: Page, complaints: string[] }> {
  const server = await start(t, (app) => {
    servePage(app)
    return setup(app)
  })
  const gate = await openGate(t, server.port)
  const page = await (await launchChromium(t)).newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => { complaints.push(error.message) })
  await page.goto(gate.origin)
  await page.waitForFunction(() => window.isReady)
  return { server, gate, page, complaints }
}

for (const transport of ['fetch', 'websocket'] as const) {
  await t.test(`in Chromium a cut by ${transport} costs no event`, { skip: withoutChromium() }, async (t) => {
    const { server, gate, page, complaints } = await visit(t, (app) => { app.stream('/feed', { topics: 'a', websocket: {} }) })
    await page.evaluate((transport) => { window.open('/feed', { transport }) }, transport)
    await page.waitForFunction(() => window.stream.lastEventId)
    for (let n = 0; n < 200; n++) {
      server.app.topics.publish('a', n)
      if (n === 100) gate.cut()
      if (n === 101) await page.waitForFunction(() => window.states.filter((state) => state === 'open').length === 2)
    }
    await page.waitForFunction(() => window.seen.length >= 200)
    t.same(await page.evaluate(() => window.seen), Array.from({ length: 200 }, (_, n) => n))
    t.same(await page.evaluate(() => window.states), ['connecting', 'open', 'waiting', 'connecting', 'open'])
    await page.evaluate(() => { window.stream.close() })
    await until(() => server.app.connections.size === 0)
    t.same(complaints, [])
  })
}

await t.test('in Chromium a POST has its token and its body, and a refusal its status', { skip: withoutChromium() }, async (t) => {
  const { server, page } = await visit(t, (app) => {
    app.stream('/feed', { method: 'POST' }, ({ headers, body }, reply) => {
      if (headers.authorization === undefined) return reply.code(401).send()
      reply.event({ by: headers.authorization, body })
    })
  })
  await page.evaluate(() => {
    window.open('/feed', { method: 'POST', headers: async () => ({ authorization: 'Bearer x', 'content-type': 'application/json' }), body: '{"n":1}' })
  })
  await page.waitForFunction(() => window.seen.length === 1)
  t.same(await page.evaluate(() => window.seen), [{ by: 'Bearer x', body: { n: 1 } }])
  await page.evaluate(() => {
    window.stream.close()
    window.open('/feed', { method: 'POST' })
  })
  await page.waitForFunction(() => window.stream.state === 'closed')
  t.same(await page.evaluate(() => window.errors), [{ code: 'PST_ERR_REFUSED', status: 401 }])
  await until(() => server.app.connections.size === 0)
})

await t.test('in Chromium a loop over a stream is not ahead of who reads, and silence is found', { skip: withoutChromium() }, async (t) => {
  const { server, page } = await visit(t, (app) => {
    app.stream('/many', {}, async function * () { for (let n = 0; n < 5_000; n++) yield n })
    app.stream('/silent', { heartbeat: 0, topics: 'a' })
  })
  const read = await page.evaluate(async () => {
    window.open('/many', { reopen: false, buffer: 5 })
    const seen: unknown[] = []
    for await (const { data } of window.stream) seen.push(data)
    return seen
  })
  t.same(read, Array.from({ length: 5_000 }, (_, n) => n))
  await page.evaluate(() => { window.open('/silent', { heartbeatTimeout: 200 }) })
  await page.waitForFunction(() => window.errors.length > 0)
  t.match(await page.evaluate(() => window.errors), [{ code: 'PST_ERR_SILENT' }])
  await page.evaluate(() => { window.stream.close() })
  await until(() => server.app.connections.size === 0)
})
