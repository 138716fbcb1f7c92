/** Ten thousand connections, as the inspector looks at them: in slices, whatever is asked for. */
import t, { type Test } from 'tap'
import type { Connection } from '../../lib/connection/connection.ts'
import type { Registry } from '../../lib/connection/registry.ts'
import { connectionColumns, connectionHas } from '../../routes/inspector/columns.ts'
import { Own } from '../../routes/inspector/own.ts'
import { Slices, type Work } from '../../routes/inspector/slices.ts'
import { type Scene, type Snapshot, takeSnapshot } from '../../routes/inspector/snapshot.ts'
import { Traffic } from '../../routes/inspector/traffic.ts'
import { build } from '../support/server.ts'

const COUNT = 10_000

// How many of them were looked at.
let touched = 0

function fake (n: number): Connection {
  return {
    get id () {
      touched++
      return `id-${(n * 7_919) % COUNT}`
    },
    get phase () {
      touched++
      return 'open'
    },
    name: null,
    route: `/${n % 5}`,
    transport: 'http1',
    protocol: null,
    openSince: n,
    bytes: n,
    events: 1,
    queued: 0,
    cursor: null
  } as unknown as Connection
}

async function scene (t: Test): Promise<Scene> {
  const { app } = await build(t, () => {})
  return { connections: Array.from({ length: COUNT }, (_, n) => fake(n)), feed: app.topics.feed, own: Own.of(app.connections as Registry), traffic: null }
}

/** Does it, and answers how many were looked at between two rests at most. */
function drive<Result> (work: Work<Result>): { result: Result, most: number } {
  let most = 0
  for (;;) {
    touched = 0
    const { done, value } = work.next()
    most = Math.max(most, touched)
    if (done === true) return { result: value, most }
  }
}

t.test('a snapshot rests between any two connections', async (t) => {
  const { result, most } = drive(takeSnapshot(await scene(t), null))
  t.equal(most, 1)
  t.match(result.totals, { open: COUNT, events: COUNT, transports: { http1: COUNT }, routes: [['/0', 2_000], ['/1', 2_000], ['/2', 2_000], ['/3', 2_000], ['/4', 2_000]] })
})

t.test('a search and a sort rest often, and answer like the ones of arrays', async (t) => {
  const { result: { connections } } = drive(takeSnapshot(await scene(t), null))
  const compare = connectionColumns['id'] as (typeof connectionColumns)[string]
  const work = () => connections.view('http1 /3', connectionHas, { name: 'id', isDescending: true, compare })
  const { result, most } = drive(work())
  t.ok(most <= 256 * 2 * 8, `${most} at most: a run, sorted`)
  const wanted = Array.from({ length: COUNT }, (_, n) => fake(n)).filter(({ route }) => route === '/3').map(({ id }) => id).sort().reverse()
  t.same(result.map(({ connection: { id } }) => id), wanted)
  const again = drive(work())
  t.equal(again.result, result, 'a view is made once')
  t.equal(again.most, 0)
})

t.test('what is equal stays in its order, either way', async (t) => {
  const { result: { connections } } = drive(takeSnapshot(await scene(t), null))
  const compare = connectionColumns['route'] as (typeof connectionColumns)[string]
  for (const isDescending of [false, true]) {
    const { result } = drive(connections.view('', () => true, { name: 'route', isDescending, compare }))
    const ages = result.filter(({ connection: { route } }) => route === '/2').map(({ connection: { openSince } }) => openSince)
    t.same(ages, [...ages].sort((a, b) => a - b))
  }
})

t.test('of many views the last ones are kept', async (t) => {
  const { result: { connections } } = drive(takeSnapshot({ ...await scene(t), connections: [fake(1), fake(2)] }, null))
  const view = (search: string) => drive(connections.view(search, () => true, { name: 'a', isDescending: false, compare: () => 0 })).result
  const first = view('0')
  t.equal(view('0'), first)
  for (let n = 1; n <= 16; n++) view(String(n))
  t.not(view('0'), first)
})

t.test('work is done in its order, one slice in a turn, and what fails stops nothing', async (t) => {
  const slices = new Slices()
  const order: string[] = []
  function * work (name: string): Work<string> {
    order.push(`${name} begins`)
    for (let step = 0; step < 20; step++) {
      for (const end = performance.now() + 1; performance.now() < end;);
      yield
    }
    order.push(`${name} ends`)
    return name
  }
  let turns = 0
  let isDone = false
  const count = () => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  const failing = (function * (): Work<void> { throw new Error('no') })()
  const [one, two, three] = await Promise.allSettled([slices.run(work('one')), slices.run(failing), slices.run(work('two'))])
  isDone = true
  t.match([one, two, three], [{ value: 'one' }, { reason: { message: 'no' } }, { value: 'two' }])
  t.same(order, ['one begins', 'one ends', 'two begins', 'two ends'])
  t.ok(turns >= 8, `${turns} turns of the event loop meanwhile`)
})

t.test('rates follow what is published, and what is quiet is forgotten', async (t) => {
  const { app } = await build(t, () => {})
  const traffic = new Traffic(app.topics.feed.log)
  for (let n = 0; n < 100; n++) await app.topics.publish('a', n)
  t.match(drive(traffic.measure(1_000)).result, { events: 100 })
  t.match(drive(traffic.measure(0)).result, { events: 0 }, 'at once')
  const { events: first } = traffic.rate('a') as { events: number }
  t.ok(first > 20 && first < 30)
  for (let i = 0; i < 20; i++) {
    for (let n = 0; n < 100; n++) await app.topics.publish('a', n)
    drive(traffic.measure(1_000))
  }
  t.ok(Math.abs((traffic.rate('a') as { events: number }).events - 100) < 1)
  for (let i = 0; i < 60; i++) drive(traffic.measure(1_000))
  t.same([...traffic.topics()], [])
  t.equal(traffic.rate('a'), null)
  for (let n = 0; n < 20_010; n++) await app.topics.publish(`t-${n}`, n)
  t.equal([...traffic.topics()].length, 20_000, 'of very many topics, some')
  t.match(drive(traffic.measure(1_000)).result, { events: 20_010 }, 'and all are counted')
  traffic.stop()
  await app.topics.publish('late', 1)
  t.match(drive(traffic.measure(1_000)).result, { events: 0 })
})

t.test('a connection that has gone is in no row, and one that stays has a rate', async (t) => {
  const all = await scene(t)
  const [one, other] = [fake(1_000), fake(2_000)]
  const first: Snapshot = drive(takeSnapshot({ ...all, connections: [one, other] }, null)).result
  Object.assign(one, { bytes: 5_000 })
  const second = drive(takeSnapshot({ ...all, connections: [one] }, { ...first, takenAt: performance.now() - 1_000 })).result
  t.same([...second.rows.keys()], [one])
  t.equal(second.totals.bytes, 4_000)
  t.ok(Math.abs((second.rows.get(one)?.rate ?? 0) - 4_000) < 100)
})
