/** The demo: its routes with plain sockets, its pages in a browser, its server as a process. */
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { buildApp } from '../../examples/remote-control/app.ts'
import { type OpenStream, openStream } from '../../testing/index.ts'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { startDemo } from '../support/demo.ts'

// A browser on a busy machine takes its time.
t.setTimeout(120_000)

const SERVER = fileURLToPath(new URL('../../examples/remote-control/server.js', import.meta.url))

/** The demo on a port of 127.0.0.1. */
async function start (t: Test, port = 0): Promise<{ app: FastifyInstance, port: number, origin: string }> {
  const app = await buildApp()
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port })
  const { port: given } = app.server.address() as AddressInfo
  return { app, port: given, origin: `http://127.0.0.1:${given}` }
}

async function connect (app: FastifyInstance, url: string, headers: Record<string, string> = {}): Promise<OpenStream> {
  return await openStream(app, { url, headers, via: 'port' })
}

/** The next event: its type, and its data unpacked. */
async function next (stream: OpenStream): Promise<{ event: string, data: any }> { // eslint-disable-line @typescript-eslint/no-explicit-any
  const { event, data } = await stream.next()
  return { event, data: JSON.parse(data) }
}

async function post (origin: string, id: string, body: unknown): Promise<Response> {
  return await fetch(`${origin}/connections/${id}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
}

t.test('a presenter is told who is connected, who joins and who leaves', async (t) => {
  const { app } = await start(t)
  const early = await connect(app, '/remote')
  const { data: me } = await next(early)
  const presenter = await connect(app, '/connections')
  t.match(presenter.headers['content-type'], 'text/event-stream')

  const handshake = await next(presenter)
  t.match(handshake, { event: 'handshake', data: { id: String, link: /\/decks\/common\/remote$/ } })
  t.same(handshake.data.remotes, [me], 'as the remote knows itself')

  const late = await connect(app, '/remote')
  const { data: second } = await next(late)
  t.not(second.id, me.id)
  t.not(second.name, me.name, 'nobody is taken for another')
  t.same(await next(presenter), { event: 'join', data: second })

  early.close()
  t.same(await next(presenter), { event: 'leave', data: { id: me.id } })
  presenter.close()
  late.close()
})

t.test('a remote is told its id, and which connections show its deck', async (t) => {
  const { app } = await start(t)
  const remote = await connect(app, '/remote')
  t.match(await next(remote), { event: 'handshake', data: { id: String, name: 'Mint', hue: Number } })
  t.same(await next(remote), { event: 'presenters', data: [] }, 'nobody yet')

  const presenter = await connect(app, '/connections')
  const { data: { id } } = await next(presenter)
  t.same(await next(remote), { event: 'presenters', data: [id] })

  presenter.close()
  t.same(await next(remote), { event: 'presenters', data: [] })
  remote.close()
})

t.test('a turn goes to the one connection that it names, remote or presenter', async (t) => {
  const { app, origin } = await start(t)
  const streams = await Promise.all(['/connections', '/remote', '/remote'].map((url) => connect(app, url)))
  const ids = await Promise.all(streams.map(async (stream) => (await next(stream)).data.id as string))

  for (const id of ids) {
    const response = await post(origin, id, { action: 'turn', which: 39 })
    t.equal(response.status, 201)
    t.equal(await response.text(), '')
  }
  for (const id of ids) await post(origin, id, { action: 'turn', which: 37 })

  // Turns come in order: had another's gone here as well, it would be between these two.
  for (const stream of streams) {
    const turns: unknown[] = []
    while (turns.length < 2) {
      const { event, data } = await next(stream)
      if (event === 'turn') turns.push(data)
    }
    t.same(turns, [{ which: 39 }, { which: 37 }])
    stream.close()
  }
})

t.test('an id that nobody has, or has no more, is not found', async (t) => {
  const { app, origin } = await start(t)
  t.equal((await post(origin, 'nobody', { action: 'turn', which: 39 })).status, 404)

  const presenter = await connect(app, '/connections')
  await next(presenter)
  const remote = await connect(app, '/remote')
  const { data: { id } } = await next(remote)
  remote.close()
  t.equal((await next(presenter)).event, 'join')
  t.equal((await next(presenter)).event, 'leave')
  const response = await post(origin, id, { action: 'turn', which: 39 })
  t.equal(response.status, 404)
  t.match(await response.json(), { error: 'Not Found' })
  presenter.close()
})

t.test('a body that is no turn is refused, and reaches nobody', async (t) => {
  const { app, origin } = await start(t)
  const remote = await connect(app, '/remote')
  const { data: { id } } = await next(remote)
  t.equal((await next(remote)).event, 'presenters')
  const wrong = [{}, { action: 'turn' }, { which: 39 }, { action: 'turn', which: 38 }, { action: 'burn', which: 37 }, [], 'turn', null]
  for (const body of wrong) t.equal((await post(origin, id, body)).status, 400, JSON.stringify(body))
  await post(origin, id, { action: 'turn', which: 37 })
  t.same(await next(remote), { event: 'turn', data: { which: 37 } }, 'the first that it hears')
  remote.close()
})

t.test('decks do not hear of each other\'s remotes', async (t) => {
  const { app, origin } = await start(t)
  const one = await connect(app, '/connections?deck=one')
  const other = await connect(app, '/connections?deck=other')
  const { data: { id } } = await next(one)
  t.same((await next(other)).data.remotes, [])
  const remote = await connect(app, '/remote?deck=one')
  await next(remote)
  t.same(await next(remote), { event: 'presenters', data: [id] }, 'only the presenter of its own deck')
  t.equal((await next(one)).event, 'join')
  const late = await connect(app, '/connections?deck=other')
  t.same((await next(late)).data.remotes, [])
  const own = await connect(app, '/remote?deck=other')
  t.match(await next(other), { event: 'join', data: { id: (await next(own)).data.id } }, 'the first that the other hears')
  t.equal((await fetch(`${origin}/remote?deck=${encodeURIComponent('a b')}`)).status, 400, 'a key that is none')
  for (const stream of [one, other, remote, late, own]) stream.close()
})

t.test('when every colour is taken, the next remotes are numbered', async (t) => {
  const { app } = await start(t)
  const streams = await Promise.all(Array.from({ length: 10 }, () => connect(app, '/remote')))
  const names = await Promise.all(streams.map(async (stream) => (await next(stream)).data.name as string))
  t.equal(new Set(names).size, 10)
  t.ok(names.includes('Mint 2'))
  for (const stream of streams) stream.close()
})

t.test('the address leads to a deck of one\'s own', async (t) => {
  const { origin } = await start(t)
  const first = await fetch(origin, { redirect: 'manual' })
  const second = await fetch(origin, { redirect: 'manual' })
  t.equal(first.status, 302)
  t.match(first.headers.get('location'), /^\/decks\/[\w-]{16}$/)
  t.not(first.headers.get('location'), second.headers.get('location'))

  const deck = await fetch(origin)
  t.match(deck.headers.get('content-type'), 'text/html')
  t.match(deck.headers.get('content-security-policy'), "default-src 'self'")
  const remote = await fetch(`${deck.url}/remote`)
  t.match(remote.headers.get('content-type'), 'text/html')
  t.not(await remote.text(), await deck.text())
  const code = await fetch(`${deck.url}/remote.svg`)
  t.match(code.headers.get('content-type'), 'image/svg+xml')
  t.match(await code.text(), /^<svg/)
})

t.test('the invitation is an address that a phone can reach', async (t) => {
  const { app } = await start(t)
  const hosts = { 'deck.example:4001': 'http://deck.example:4001', '192.0.2.7': 'http://192.0.2.7' }
  for (const [host, origin] of Object.entries(hosts)) {
    const stream = await connect(app, '/connections?deck=key', { host })
    t.equal((await next(stream)).data.link, `${origin}/decks/key/remote`)
    stream.close()
  }
  const local = await connect(app, '/connections?deck=key', { host: 'localhost:4001' })
  t.match((await next(local)).data.link, /^http:\/\/(localhost|\d+\.\d+\.\d+\.\d+):4001\/decks\/key\/remote$/)
  local.close()
})

t.test('in Chromium', { skip: withoutChromium(), timeout: 100_000 }, async (t) => {
  const browser = await launchChromium(t)

  /** A browser of its own for each test: what it opens, and what its console complains of. */
  const visit = async (t: Test) => {
    const context = await browser.newContext({ reducedMotion: 'reduce', hasTouch: true })
    t.teardown(() => context.close())
    context.setDefaultTimeout(30_000)
    const complaints: string[] = []
    context.on('weberror', (error) => { complaints.push(String(error.error())) })
    context.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()) })
    const openDeck = async (origin: string): Promise<Page> => {
      const page = await context.newPage()
      await page.goto(origin)
      await page.waitForSelector('[data-state=live]')
      return page
    }
    const openRemote = async (deck: Page): Promise<Page> => {
      const page = await context.newPage()
      const path = await deck.locator('.card .invitation-link[href]').getAttribute('href')
      await page.goto(String(new URL(String(path), deck.url())))
      await page.waitForSelector('[data-ready=true]')
      return page
    }
    return { context, complaints, openDeck, openRemote }
  }
  const shows = async (deck: Page, heading: string) => { await deck.waitForSelector(`.slide[data-place=here] :is(h1, h2):has-text("${heading}")`) }
  const hasRemotes = async (deck: Page, count: number) => { await deck.waitForSelector(`:root[data-remotes="${count}"]`) }

  await t.test('a remote turns the deck, leaves, and both find each other again after a restart', async (t) => {
    const first = await start(t)
    const { context, complaints, openDeck, openRemote } = await visit(t)
    const deck = await openDeck(first.origin)
    await shows(deck, 'Pastelli')
    await deck.waitForFunction("document.querySelector('.qr').naturalWidth > 0")

    const remote = await openRemote(deck)
    await hasRemotes(deck, 1)
    t.equal(await deck.locator('.remotes').innerText(), await remote.locator('#name').innerText())
    t.match(await deck.locator('#news').innerText(), /joined$/, 'and a screen reader is told')

    await remote.getByRole('button', { name: 'Next' }).click()
    await shows(deck, 'Dispatch never blocks')
    await remote.keyboard.press('ArrowRight')
    await shows(deck, 'You always learn that it ended')
    await remote.getByRole('button', { name: 'Previous' }).click()
    await shows(deck, 'Dispatch never blocks')

    const second = await openRemote(deck)
    await hasRemotes(deck, 2)
    await second.close()
    await hasRemotes(deck, 1)
    t.match(await deck.locator('#news').innerText(), /left$/)
    t.same(complaints, [], 'neither page broke a rule')

    await first.app.close()
    await Promise.all([deck, remote].map((page) => page.waitForSelector('[data-state=reconnecting]')))
    t.match(await deck.locator('footer [role=status]').innerText(), 'Reconnecting')
    await remote.waitForSelector('[data-ready=false]')

    await start(t, first.port)
    await Promise.all([deck, remote].map((page) => page.waitForSelector('[data-state=live]')))
    await remote.waitForSelector('[data-ready=true]')
    await hasRemotes(deck, 1)
    await shows(deck, 'Dispatch never blocks')
    await remote.getByRole('button', { name: 'Next' }).click()
    await shows(deck, 'You always learn that it ended')

    await remote.close()
    await hasRemotes(deck, 0)
    await context.close()
  })

  await t.test('the deck itself turns by key, by button and by link, and no further than its ends', async (t) => {
    const { origin } = await start(t)
    const { context, openDeck } = await visit(t)
    const deck = await openDeck(origin)
    await deck.keyboard.press('ArrowLeft')
    await shows(deck, 'Pastelli')
    await deck.getByRole('button', { name: 'Next' }).click()
    await shows(deck, 'Dispatch')
    await deck.keyboard.press('ArrowLeft')
    await shows(deck, 'Pastelli')
    await deck.getByRole('link', { name: '8: A turn is one POST' }).click()
    await shows(deck, 'A turn is one POST')
    await deck.keyboard.press('ArrowRight')
    await shows(deck, 'A turn is one POST')
    await deck.reload()
    await shows(deck, 'A turn is one POST')
    await context.close()
  })

  await t.test('a swipe turns, on the remote and on the deck', async (t) => {
    const { origin } = await start(t)
    const { context, openDeck, openRemote } = await visit(t)
    const deck = await openDeck(origin)
    const remote = await openRemote(deck)
    const swipe = async (page: Page, from: number, to: number) => {
      const touch = await context.newCDPSession(page)
      await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: from, y: 300 }] })
      for (const x of [(from + to) / 2, to]) await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: [{ x, y: 305 }] })
      await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
      await touch.detach()
    }
    await swipe(remote, 400, 200)
    await shows(deck, 'Dispatch')
    await deck.bringToFront()
    await swipe(deck, 400, 200)
    await shows(deck, 'You always learn')
    await swipe(deck, 200, 400)
    await shows(deck, 'Dispatch')
    await context.close()
  })

  await t.test('the presenter finds a remote: that one blinks, and no other', async (t) => {
    const { origin } = await start(t)
    const { context, openDeck, openRemote } = await visit(t)
    const deck = await openDeck(origin)
    const [other, wanted] = [await openRemote(deck), await openRemote(deck)]
    await hasRemotes(deck, 2)
    await deck.getByRole('button', { name: await wanted.locator('#name').innerText(), exact: true }).click()
    await wanted.waitForSelector('body.found')
    t.equal(await other.locator('body.found').count(), 0)
    await context.close()
  })
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`the server says where it is in one line, serves its pages from anywhere, and ends well on ${signal}`, async (t) => {
    const { origin, ends } = await startDemo(t, SERVER)
    const page = await fetch(origin)
    t.match(await page.text(), 'Responses that stay open')
    const stream = await fetch(`${origin}/connections`)
    await ends(stream, signal)
  })
}
