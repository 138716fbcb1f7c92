/** The chat of Phoenix: its channel with the client that the Phoenix team ships, its page in a browser, its server as a process. */
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { buildApp } from '../../examples/phoenix-chat/app.ts'
import type { LobbyOptions } from '../../examples/phoenix-chat/lobby.ts'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { startDemo } from '../support/demo.ts'
import { answered, connectClient, join, listen, VIAS } from '../support/phoenix.ts'
import { until } from '../support/until.ts'

// A browser on a busy machine takes its time.
t.setTimeout(120_000)

const SERVER = fileURLToPath(new URL('../../examples/phoenix-chat/server.js', import.meta.url))
const EVENTS = ['user:entered', 'join', 'new:msg']

async function listenOn (app: FastifyInstance, port = 0): Promise<number> {
  await app.listen({ host: '127.0.0.1', port })
  return (app.server.address() as AddressInfo).port
}

async function start (t: Test, options: LobbyOptions = {}, port = 0): Promise<{ app: FastifyInstance, port: number, origin: string }> {
  const app = await buildApp(options)
  t.teardown(() => app.close())
  const given = await listenOn(app, port)
  return { app, port: given, origin: `http://127.0.0.1:${given}` }
}

for (const via of VIAS) {
  t.test(`${via}: the experiment, as it was`, async (t) => {
    const server = await start(t)
    const [ada, ben] = [connectClient(t, server, via), connectClient(t, server, via)]
    const first = await join(t, ada, 'rooms:lobby', EVENTS, { user: 'ada' })
    t.same(await first.took(2), [['user:entered', { user: 'ada' }], ['join', { status: 'connected' }]])
    t.same(await answered(ben.channel('rooms:secret', { user: 'ben' }).join()), { status: 'error', response: { reason: 'unauthorized' } })
    const second = await join(t, ben, 'rooms:lobby', EVENTS, { user: 'ben' })
    await first.took(3)
    t.same(first.events[2], ['user:entered', { user: 'ben' }])
    t.same(await answered(second.channel.push('new:msg', { user: 'ada', body: 'hello' })), { status: 'ok', response: { msg: 'hello' } })
    for (const heard of [await first.took(4), await second.took(3)]) t.same(heard.at(-1), ['new:msg', { user: 'ben', body: 'hello' }], 'nobody speaks for somebody else')
  })

  t.test(`${via}: the system pings each member until it leaves`, async (t) => {
    const { app, port } = await start(t, { interval: 20 })
    const socket = connectClient(t, { port }, via)
    const { channel, events, took } = await join(t, socket, 'rooms:lobby', ['new:msg'], { user: 'ada' })
    t.same((await took(2)).slice(0, 2), [['new:msg', { user: 'SYSTEM', body: 'ping' }], ['new:msg', { user: 'SYSTEM', body: 'ping' }]])
    channel.leave()
    await until(() => app.topics.subscribers('phoenix:rooms:lobby') === 0)
    const count = events.length
    const [connection] = [...app.connections]
    const before = connection?.events
    await join(t, socket, 'rooms:lobby', [], { user: 'ada' }).then(({ channel }) => { channel.leave() })
    t.ok((connection?.events ?? 0) > (before ?? 0))
    t.equal(events.length, count, 'the channel that was left hears no more')
  })
}

t.test('pings come every five seconds, and what sends them ends with the membership', async (t) => {
  const timers: Array<{ ms: number, task: () => void, isOver: boolean }> = []
  const server = await start(t, {
    every (ms, task) {
      const timer = { ms, task, isOver: false }
      timers.push(timer)
      return () => { timer.isOver = true }
    }
  })
  const { channel, took } = await join(t, connectClient(t, server, 'WebSocket'), 'rooms:lobby', ['new:msg'], { user: 'ada' })
  await until(() => timers.length === 1)
  timers[0]?.task()
  t.same(await took(1), [['new:msg', { user: 'SYSTEM', body: 'ping' }]])
  t.match(timers, [{ ms: 5_000, isOver: false }])
  channel.leave()
  await until(() => timers[0]?.isOver)
})

t.test('who has no name, or that of the system, does not come in, and who says nothing is not heard', async (t) => {
  const server = await start(t)
  const socket = connectClient(t, server, 'WebSocket')
  for (const [params, reason] of [[{}, 'nameless'], [{ user: ' ' }, 'nameless'], [{ user: 'x'.repeat(25) }, 'nameless'], [{ user: 7 }, 'nameless'], [{ user: 'SYSTEM' }, 'reserved']] as const) {
    const { channel } = listen(socket, 'rooms:lobby', [], params)
    t.same(await answered(channel.join()), { status: 'error', response: { reason } })
    channel.leave()
  }
  const { channel } = await join(t, socket, 'rooms:lobby', [], { user: 'ada' })
  for (const [event, payload] of [['new:msg', {}], ['new:msg', { body: ' ' }], ['new:msg', { body: 'x'.repeat(2_001) }], ['shout', { body: 'hello' }]] as const) {
    t.same(await answered(channel.push(event, payload)), { status: 'error', response: { reason: 'unheard' } })
  }
})

t.test('members rejoin when the server was restarted', async (t) => {
  const first = await buildApp()
  const port = await listenOn(first)
  const members = await Promise.all(VIAS.map((via) => join(t, connectClient(t, { port }, via), 'rooms:lobby', ['join'], { user: via })))
  for (const { took } of members) await took(1)
  await first.close()
  const { app } = await start(t, {}, port)
  for (const { took } of members) t.equal((await took(2)).length, 2)
  t.equal(app.topics.subscribers('phoenix:rooms:lobby'), 2)
})

t.test('its server says where it is, serves page and sockets, and ends well when it is told to', async (t) => {
  const { origin, ends } = await startDemo(t, SERVER)
  const response = await fetch(origin)
  t.match(response.headers.get('content-type'), 'text/html')
  t.match(response.headers.get('content-security-policy'), "default-src 'self'")
  await response.text()
  const client = await fetch(`${origin}/phoenix/phoenix.mjs`)
  t.match(client.headers.get('content-type'), 'javascript')
  t.match(await client.text(), /LongPoll/)
  t.type(ends, 'function')
})

t.test('in a browser', { skip: withoutChromium() }, async (t) => {
  const browser = await launchChromium(t)
  const complaints: string[] = []

  async function open (t: Test, origin: string, path = '/'): Promise<Page> {
    const context = await browser.newContext()
    t.teardown(() => context.close())
    const page = await context.newPage()
    page.on('pageerror', (error) => { complaints.push(String(error)) })
    page.on('console', (message) => { if (message.type() === 'error' && !/ERR_|WebSocket connection/.test(message.text())) complaints.push(message.text()) })
    await page.goto(origin + path)
    return page
  }

  async function enter (page: Page, name: string): Promise<void> {
    await page.getByLabel('Your name').fill(name)
    await page.getByRole('button', { name: 'Come in' }).click()
    await page.locator('body.is-in').waitFor()
  }

  async function say (page: Page, text: string): Promise<void> {
    await page.getByLabel('Say something').fill(text)
    await page.getByRole('button', { name: 'Say it' }).click()
  }

  const messages = async (page: Page) => await page.locator('.message').evaluateAll((items) => items.map((item) => [item.querySelector('.user')?.textContent, item.querySelector('.body')?.textContent]))
  const people = async (page: Page) => await page.locator('.person').allTextContents()
  const state = async (page: Page) => await page.locator('.state').textContent()

  for (const path of ['/', '/?over=longpoll']) {
    await t.test(`two pages talk (${path})`, async (t) => {
      const { app, origin } = await start(t, { interval: 500 })
      const [ada, ben] = [await open(t, origin, path), await open(t, origin, path)]
      await enter(ada, 'Ada')
      await enter(ben, 'Ben')
      for (const page of [ada, ben]) {
        await page.locator('.person').nth(1).waitFor()
        t.same((await people(page)).sort(), ['Ada', 'Ben'])
        t.equal(await state(page), 'Live')
        await page.locator('.pulse', { hasText: 'SYSTEM: ping (' }).waitFor()
      }
      t.same([...new Set([...app.connections].map(({ transport }) => transport))], [path === '/' ? 'websocket' : 'longpoll'])
      await ada.getByText('Ben came in').waitFor()
      await say(ada, 'Hello, <b>Ben</b>')
      await ben.locator('.message').waitFor()
      await say(ben, 'Hello')
      for (const page of [ada, ben]) {
        await page.locator('.message').nth(1).waitFor()
        t.same(await messages(page), [['Ada', 'Hello, <b>Ben</b>'], ['Ben', 'Hello']])
        t.equal(await page.locator('.message.mine').count(), 1)
      }
      await ben.context().close()
      await ada.getByText('Ben left').waitFor()
      t.same(await people(ada), ['Ada'])
    })
  }

  await t.test('the line is cut: the page comes back by itself, and is in the room again', async (t) => {
    const { origin } = await start(t)
    const ada = await open(t, origin)
    await enter(ada, 'Ada')
    await ada.getByRole('button', { name: 'Cut the line' }).click()
    await ada.locator('html[data-state=reconnecting]').waitFor()
    await ada.locator('html[data-state=live]').waitFor()
    await say(ada, 'Still here')
    await ada.locator('.message').waitFor()
    t.same(await messages(ada), [['Ada', 'Still here']])
    t.same(await people(ada), ['Ada'])
  })

  await t.test('a page that is reloaded is in the room again, and one whose name is refused is told so', async (t) => {
    const { origin } = await start(t)
    const ada = await open(t, origin)
    await ada.getByLabel('Your name').fill('SYSTEM')
    await ada.getByRole('button', { name: 'Come in' }).click()
    await ada.getByRole('alert').filter({ hasText: 'the name of the system' }).waitFor()
    await enter(ada, 'Ada')
    await ada.reload()
    await ada.locator('body.is-in').waitFor()
    await ada.locator('.person', { hasText: 'Ada' }).waitFor()
    t.equal(await state(ada), 'Live')
  })

  t.same(complaints, [], 'no page has complained')
})
