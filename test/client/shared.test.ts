/** One connection for all tabs: on Node, with tabs in one process and locks of our own. */
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { type ClientState, StreamError } from '../../client/index.ts'
import { connectShared, type SharedOptions } from '../../client/shared.ts'
import { openGate } from '../support/gate.ts'
import { installLocks } from '../support/locks.ts'
import { type Server, start } from '../support/server.ts'
import { until } from '../support/until.ts'

interface Tab { stream: ReturnType<typeof connectShared>, seen: unknown[], states: ClientState[], errors: unknown[], gaps: unknown[] }

const feed = (app: FastifyInstance) => { app.stream('/', { topics: 'a' }) }

function open (t: Test, address: string, options: SharedOptions = {}): Tab {
  const tab: Omit<Tab, 'stream'> = { seen: [], states: [], errors: [], gaps: [] }
  const stream = connectShared(address, {
    retry: 5,
    ...options,
    onGap: (gap) => { tab.gaps.push(gap) },
    onState: (state, { error }) => {
      tab.states.push(state)
      if (error !== undefined) tab.errors.push(error)
    }
  })
  stream.on('message', ({ data }) => { tab.seen.push(data) })
  t.teardown(() => { stream.close() })
  return { stream, ...tab }
}

/** Opens tabs one after the other, so that they lead one after the other. */
async function openTabs (t: Test, address: string, count: number, options: SharedOptions = {}): Promise<Tab[]> {
  const tabs: Tab[] = []
  for (let n = 0; n < count; n++) {
    const tab = open(t, address, options)
    await until(() => tab.stream.lastEventId, 'the tab is where the others are')
    tabs.push(tab)
  }
  return tabs
}

/** Leads by hand: what it tells is what a tab told that began to lead at this term. */
async function lead (t: Test, address: string): Promise<{ address: string, asked: () => Promise<unknown>, tell: (term: number, count: number, from: string | undefined, step?: { event?: string, text?: string, id: string }) => void }> {
  const name = `pastelli 1 ${address}`
  const channel = new BroadcastChannel(name)
  t.teardown(() => { channel.close() })
  let hellos = 0
  channel.onmessage = () => { hellos++ }
  const isOver = new AbortController()
  t.teardown(() => { isOver.abort() })
  await new Promise<void>((resolve) => {
    void installLocks().request(name, {}, async () => {
      resolve()
      await once(isOver.signal, 'abort')
    })
  })
  const tell = (term: number, count: number, from: string | undefined, step?: object): void => {
    channel.postMessage({ term, count, from, state: 'open', delay: undefined, step })
  }
  return { address, tell, asked: async () => await until(() => hellos > 0, 'a tab asks who leads') }
}

const upTo = (end: number, from = 0): number[] => Array.from({ length: end - from }, (_, n) => from + n)

function publish ({ app }: Server, from: number, to: number): void {
  for (let n = from; n < to; n++) app.topics.publish('a', n)
}

t.beforeEach(() => { installLocks() })

await t.test('tabs share one connection, and all get all events in their order', async (t) => {
  const server = await start(t, feed)
  const tabs = await openTabs(t, server.origin, 4)
  publish(server, 0, 1_500)
  for (const { seen } of tabs) await until(() => seen.length === 1_500)
  for (const { seen, states, stream } of tabs) {
    t.same(seen, upTo(1_500))
    t.same(states, ['connecting', 'open'])
    t.equal(stream.lastEventId, server.app.topics.position)
  }
  t.equal(server.app.connections.size, 1)
})

await t.test('when the tab that leads is closed, the next one goes on where it is, and nobody misses anything', async (t) => {
  const server = await start(t, feed)
  const tabs = await openTabs(t, server.origin, 4)
  for (let n = 0; n < 3; n++) {
    publish(server, n * 100, n * 100 + 50)
    if (n === 1) await until(() => tabs[3]!.seen.length > 0)
    tabs[n]!.stream.close()
    publish(server, n * 100 + 50, n * 100 + 100)
  }
  await until(() => tabs[3]!.seen.length >= 300)
  t.same(tabs[3]!.seen, upTo(300))
  for (const { seen } of tabs) t.same(seen, upTo(seen.length))
  await until(() => server.app.connections.size === 1)
})

await t.test('a tab that comes late with a position gets what it missed from the server, and then shares', async (t) => {
  const server = await start(t, feed)
  const [first] = await openTabs(t, server.origin, 1)
  const lastEventId = server.app.topics.position
  publish(server, 0, 50)
  await until(() => first!.seen.length === 50)
  const late = open(t, server.origin, { lastEventId })
  await until(() => late.seen.length === 50)
  publish(server, 50, 100)
  await until(() => late.seen.length >= 100 && first!.seen.length >= 100)
  t.same(late.seen, upTo(100))
  t.same(first!.seen, upTo(100))
  await until(() => server.app.connections.size === 1)
})

await t.test('over any order of closing, coming and cuts each tab gets what came since it did, once and in order', async (t) => {
  const server = await start(t, feed)
  const gate = await openGate(t, server.port)
  const tabs = await openTabs(t, gate.origin, 3)
  const all: Array<{ tab: Tab, from: number }> = tabs.map((tab) => ({ tab, from: 0 }))
  const random = generator(7)
  for (let n = 0; n < 600; n++) {
    publish(server, n, n + 1)
    const dice = random()
    if (dice < 0.02) gate.cut()
    else if (dice < 0.06) all.push({ tab: open(t, gate.origin, { lastEventId: server.app.topics.position }), from: n + 1 })
    else if (dice < 0.09) all[Math.floor(random() * all.length)]!.tab.stream.close()
    if (dice > 0.3) await new Promise(setImmediate)
  }
  const last = open(t, gate.origin, { lastEventId: server.app.topics.position })
  publish(server, 600, 601)
  for (const { tab, from } of [...all, { tab: last, from: 600 }]) {
    if (tab.stream.state !== 'closed') await until(() => tab.seen.at(-1) === 600, `the last event came to the tab that came at ${from}; it has ${JSON.stringify(tab.seen).slice(-100)}`)
    t.same(tab.seen, upTo(from + tab.seen.length, from), `a tab that came at ${from}`)
    t.same(tab.gaps, [])
  }
  await until(() => server.app.connections.size === 1)
})

await t.test('a tab that leads and stands still is deposed', async (t) => {
  const server = await start(t, feed)
  const locks = installLocks()
  const name = `pastelli 1 ${server.origin}/`
  const frozen = locks.request(name, {}, () => new Promise(() => {}))
  frozen.catch(() => {})
  const tabs = [open(t, server.origin, { heartbeatTimeout: 100 }), open(t, server.origin, { heartbeatTimeout: 100 })]
  for (const { stream } of tabs) await until(() => stream.lastEventId)
  await t.rejects(frozen, { name: 'AbortError' })
  publish(server, 0, 10)
  for (const { seen } of tabs) await until(() => seen.length === 10)
  t.match(tabs[0]!.errors, [{ code: 'PST_ERR_SILENT' }])
  await until(() => server.app.connections.size === 1)
  await locks.request(name, { steal: true }, async () => {})
  publish(server, 10, 20)
  for (const { seen } of tabs) await until(() => seen.length >= 20)
  for (const { seen } of tabs) t.same(seen, upTo(20), 'also when the one that was deposed comes back')
  await until(() => server.app.connections.size === 1)
})

await t.test('who is ahead of the tab that leads passes over what it has had', async (t) => {
  const { address, tell, asked } = await lead(t, 'http://127.0.0.1:1/')
  const tab = open(t, address)
  await asked()
  tell(1, 0, undefined)
  tell(1, 0, undefined, { id: 'e:0' })
  for (let n = 1; n <= 5; n++) tell(1, n, `e:${n - 1}`, { event: 'message', text: String(n), id: `e:${n}` })
  await until(() => tab.seen.length === 5)
  tell(2, 0, 'e:2')
  for (let n = 3; n <= 7; n++) tell(2, n - 3, `e:${n - 1}`, { event: 'message', text: String(n), id: `e:${n}` })
  tell(1, 6, 'e:5', { event: 'message', text: '"of one that was deposed"', id: 'e:6' })
  await until(() => tab.seen.length >= 7)
  t.same(tab.seen, upTo(8, 1))
  t.same(tab.errors, [])
})

await t.test('who has missed a step asks the server for it, and hears the tab that leads again', async (t) => {
  const server = await start(t, feed)
  const { address, tell, asked } = await lead(t, `${server.origin}/`)
  const ids = [server.app.topics.position]
  const step = (n: number, count = n): void => { tell(1, count, ids[n], { event: 'message', text: String(n), id: ids[n + 1]! }) }
  const tab = open(t, address)
  await asked()
  tell(1, 0, ids[0])
  for (let n = 0; n < 6; n++) ids.push(String(server.app.topics.publish('a', n)))
  step(0)
  await until(() => tab.seen.length === 1)
  t.equal(server.app.connections.size, 0)
  step(2)
  await until(() => tab.seen.length === 3)
  for (const n of [3, 4, 5]) step(n)
  await until(() => server.app.connections.size === 0)
  ids.push(String(server.app.topics.publish('a', 6)))
  step(6)
  await until(() => tab.seen.length >= 7)
  t.same(tab.seen, upTo(7))
  t.same(tab.states, ['connecting', 'open'])
})

await t.test('who asks the server itself and gets no further asks again', async (t) => {
  const server = await start(t, feed)
  const { address, tell } = await lead(t, `${server.origin}/`)
  const tab = open(t, address, { lastEventId: server.app.topics.position })
  const meets = async (code: unknown) => {
    const before = tab.errors.length
    const timer = setInterval(() => { tell(1, 0, 'elsewhere:1') }, 5)
    t.teardown(() => { clearInterval(timer) })
    await until(() => {
      for (const connection of server.app.connections) connection.close()
      return tab.errors.length > before
    })
    clearInterval(timer)
    t.match(tab.errors.at(-1), code)
  }
  await meets({ code: 'PST_ERR_CUT' })
  await server.app.close()
  await meets(TypeError)
})

await t.test('a tab that is left while it asks, or that is not let at the lock, leaves nothing behind', async (t) => {
  const server = await start(t, feed)
  const { address, tell } = await lead(t, `${server.origin}/`)
  const tab = open(t, address, { lastEventId: server.app.topics.position })
  await until(() => {
    tell(1, 0, 'elsewhere:1')
    return server.app.connections.size === 1
  })
  tab.stream.close()
  await until(() => server.app.connections.size === 0)
  const hasty = connectShared(address, { lastEventId: 'x', onState: (state) => { if (state === 'open') hasty.close() } })
  await until(() => {
    tell(1, 0, 'elsewhere:1')
    return hasty.state === 'closed'
  })
  installLocks({ request: async () => { throw new DOMException('not here', 'SecurityError') } })
  const refused = open(t, address)
  await until(() => refused.errors.length > 0)
  t.match(refused.errors[0], { name: 'SecurityError' })
  refused.stream.close()
  t.equal(server.app.connections.size, 0)
})

await t.test('a tab that reads slowly leaves the others alone, and gets all of it', async (t) => {
  const server = await start(t, feed)
  const slow = connectShared(server.origin, { buffer: 5, retry: 5 })
  t.teardown(() => { slow.close() })
  await until(() => slow.lastEventId)
  const [quick] = await openTabs(t, server.origin, 1)
  publish(server, 0, 200)
  await until(() => quick!.seen.length === 200)
  t.same(quick!.seen, upTo(200))
  const seen: unknown[] = []
  for await (const { data } of slow) if (seen.push(data) === 200) break
  t.same(seen, upTo(200))
})

await t.test('every tab learns that it is refused, or that there is no more, and its own data is made of what comes', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/refused', (_request, reply) => reply.code(403).send())
    app.stream('/over', (_request, reply) => reply.code(204).send())
    app.stream('/text', { topics: 'a' })
  })
  for (const path of ['/refused', '/over']) {
    const tabs = [open(t, server.origin + path), open(t, server.origin + path)]
    for (const { stream, errors } of tabs) {
      await until(() => stream.state === 'closed')
      t.match(errors, path === '/over' ? [] : [{ status: 403 }])
    }
  }
  const loud = open(t, `${server.origin}/text`, { parse: (text) => text.toUpperCase() })
  const plain = open(t, `${server.origin}/text`)
  for (const { stream } of [loud, plain]) await until(() => stream.lastEventId)
  server.app.topics.publish('a', { text: 'a' })
  await until(() => loud.seen.length === 1 && plain.seen.length === 1)
  t.same([loud.seen, plain.seen], [['{"TEXT":"A"}'], [{ text: 'a' }]])
})

await t.test('tabs share what has no ids, too', async (t) => {
  const server = await start(t, (app) => { app.stream('/', {}, () => {}) })
  const tabs = [open(t, server.origin), open(t, server.origin, { lastEventId: 'of the page' })]
  for (const { stream } of tabs) await until(() => stream.state === 'open')
  const [connection] = server.app.connections
  for (let n = 0; n < 10; n++) connection!.event(n)
  for (const { seen } of tabs) await until(() => seen.length === 10)
  for (const { seen } of tabs) t.same(seen, upTo(10))
})

await t.test('what the tab that leads goes through, all go through', async (t) => {
  const server = await start(t, feed)
  const gate = await openGate(t, server.port)
  const tabs = await openTabs(t, gate.origin, 2)
  gate.cut()
  for (const { states } of tabs) await until(() => states.length >= 5)
  for (const { states } of tabs) t.same(states, ['connecting', 'open', 'waiting', 'connecting', 'open'])
})

await t.test('a tab that leads and may be silent for ever says that it is there no more often than others', async (t) => {
  const server = await start(t, feed)
  const address = `${server.origin}/`
  const channel = new BroadcastChannel(`pastelli 1 ${address}`)
  t.teardown(() => { channel.close() })
  let told = 0
  channel.onmessage = () => { told++ }
  const [tab] = await openTabs(t, address, 1, { heartbeatTimeout: Infinity })
  publish(server, 0, 1)
  await until(() => tab?.seen.length === 1)
  const before = told
  const began = performance.now()
  await until(() => performance.now() - began > 200)
  t.ok(told - before <= 2, `${told - before} times in 200 ms`)
})

await t.test('without Web Locks each tab has a connection of its own', async (t) => {
  Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true })
  const server = await start(t, feed)
  const tabs = await openTabs(t, server.origin, 2)
  publish(server, 0, 3)
  for (const { seen } of tabs) await until(() => seen.length === 3)
  t.equal(server.app.connections.size, 2)
})

await t.test('an address that is a function needs a name, and options are checked', async (t) => {
  const server = await start(t, feed)
  t.throws(() => connectShared(() => server.origin), { code: 'PST_ERR_OPTION', message: /"name"/ })
  t.throws(() => connectShared(server.origin, { buffer: 0 }), StreamError)
  const options = { name: 'feed', retry: 5 }
  const tabs = [connectShared(() => server.origin, options), connectShared(server.origin, options)]
  for (const stream of tabs) {
    await until(() => stream.lastEventId)
    t.equal(server.app.connections.size, 1)
  }
  for (const stream of tabs) stream.close()
})

// So that what fails can be repeated.
function generator (seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}
