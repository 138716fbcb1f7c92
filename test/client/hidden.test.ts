/** A page that is hidden and seen again. What a page has is put into the globals before the client is loaded. */
import t from 'tap'
import { start } from '../support/server.ts'
import { Witness } from '../support/witness.ts'

const page = Object.assign(new EventTarget(), { hidden: true, baseURI: 'http://127.0.0.1/' })
Object.assign(globalThis, { document: page })
const { open } = await import('../support/client.ts')

function show (isShown: boolean): void {
  page.hidden = !isShown
  page.dispatchEvent(new Event('visibilitychange'))
}

await t.test('with pauseHidden a client is connected while its page is seen, and misses nothing', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const witness = new Witness(server.app)
  const before = server.app.topics.position
  server.app.topics.publish('a', 1)
  page.baseURI = `${server.origin}/page`
  const client = open(t, '/', { pauseHidden: true, lastEventId: before })
  await client.becomes('paused')
  show(true)
  await client.sees(1)
  show(false)
  await client.becomes('paused', 2)
  await witness.sees(t, 'client')
  server.app.topics.publish('a', 2)
  show(true)
  await client.sees(1, 2)
  client.stream.close()
  show(false)
  show(true)
  t.same(client.states, ['paused', 'connecting', 'open', 'paused', 'connecting', 'open', 'closed'])
})

await t.test('without it, and while it waits for its time, nothing changes with what is seen', async (t) => {
  show(true)
  const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const client = open(t, server.origin)
  const waiting = open(t, 'http://127.0.0.1:1/', { retry: 60_000, pauseHidden: true })
  await client.becomes('open')
  await waiting.becomes('waiting')
  show(true)
  t.equal(waiting.stream.state, 'waiting')
  show(false)
  await waiting.becomes('paused')
  server.app.topics.publish('a', 1)
  await client.sees(1)
  t.same(client.states, ['connecting', 'open'])
})
