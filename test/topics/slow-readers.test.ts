/** A client that does not read costs its cursor, not a queue; who reads again in time has missed nothing, and who does not is told. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import t, { type Test } from 'tap'
import { type Connection, memoryLog, type PastelliOptions, type Retention } from '../../index.ts'
import { type Server, start } from '../support/server.ts'
import { connect, type RawClient } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'
import { plainNode } from '../support/plain-node.ts'

const EVENT = 16 * 1024
const WRITE = 64 * 1024

interface Scene extends Server {
  /** Publishes the next event of the heavy topic. */
  publish: () => void
  /** The number of the newest one. */
  newest: () => number
}

async function serve (t: Test, retention: Partial<Retention>, options: PastelliOptions = {}): Promise<Scene> {
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'heavy' })
    app.stream('/light', { topics: 'light' })
  }, { pastelli: { log: memoryLog(retention), ...options } })
  let n = -1
  const publish = () => { void server.app.topics.publish('heavy', { n: ++n, pad: 'x'.repeat(EVENT) }) }
  return { ...server, publish, newest: () => n }
}

/** Publishes in one turn after another, as long as the condition does not hold. */
async function publishUntil ({ publish }: Scene, condition: () => unknown): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`published in vain until ${String(condition)}`)
    publish()
    await delay(1)
  }
}

async function publishMore ({ publish }: Scene, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    publish()
    await delay(0)
  }
}

/** A client that has read its first event, and then stops until the server has bytes queued for it. */
async function stall (t: Test, scene: Scene): Promise<{ client: RawClient, connection: Connection }> {
  const witness = new Witness(scene.app)
  const client = (await connect(t, scene.port)).get('/')
  const connection = await witness.open()
  scene.publish()
  await client.until((response) => eventsOf(response.body).length === 1)
  client.pause()
  await publishUntil(scene, () => connection.queued !== 0)
  return { client, connection }
}

function eventsOf (body: Buffer): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  createParser({ onEvent: (event) => { events.push(event) } }).feed(body.toString())
  return events
}

const numbersOf = (events: EventSourceMessage[]) => events.map(({ data }) => (JSON.parse(data) as { n: number }).n)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

await t.test('clients that never read are cut with overflow and cost two writes until then, and those of another topic miss nothing', async (t) => {
  const STALLED = 30
  const scene = await serve(t, { bytes: 512 * 1024 })
  const { app, port } = scene
  const child = fork(new URL('../support/crowd.js', import.meta.url), [String(port), String(STALLED), String(STALLED)], { env: plainNode() })
  t.teardown(() => { child.kill('SIGKILL') })
  await once(child, 'message')
  const healthy = await Promise.all(Array.from({ length: 5 }, async () => (await connect(t, port)).get('/light')))
  await until(() => app.connections.size === STALLED + healthy.length)
  let light = -1
  let queued = 0
  await publishUntil(scene, () => {
    void app.topics.publish('light', { n: ++light })
    for (const connection of app.connections) queued = Math.max(queued, connection.queued)
    return app.connections.counts.overflow === STALLED
  })
  t.equal(app.connections.size, healthy.length)
  t.ok(queued > 0 && queued <= 2 * (WRITE + EVENT + 200), `at most ${queued} bytes were queued for one`)
  for (const client of healthy) {
    await client.until(`{"n":${light}}`)
    t.same(numbersOf(eventsOf(client.response.body)), range(0, light))
  }
})

await t.test('a client that stalls and reads on in time has missed nothing', async (t) => {
  const scene = await serve(t, { bytes: 100 * EVENT })
  const { client, connection } = await stall(t, scene)
  await publishMore(scene, 50)
  t.ok(connection.queued <= 2 * (WRITE + EVENT + 200))
  client.resume()
  await publishMore(scene, 1)
  await client.until((response) => numbersOf(eventsOf(response.body)).at(-1) === scene.newest())
  t.same(numbersOf(eventsOf(client.response.body)), range(0, scene.newest()))
  t.equal(connection.queued, 0)
})

await t.test('a client that stalls, leaves and comes back in time has missed nothing', async (t) => {
  // It comes back to where it was itself, which is what both sockets hold behind what it was given.
  const scene = await serve(t, { bytes: Infinity })
  const { client } = await stall(t, scene)
  await publishMore(scene, 50)
  const before = eventsOf(client.response.body)
  client.leave()
  const again = (await connect(t, scene.port)).get('/', { 'Last-Event-ID': before.at(-1)?.id as string })
  await again.until((response) => numbersOf(eventsOf(response.body)).at(-1) === scene.newest())
  t.same(numbersOf([...before, ...eventsOf(again.response.body)]), range(0, scene.newest()))
})

await t.test('a client that was cut with overflow is told of the gap when it comes back', async (t) => {
  const scene = await serve(t, { bytes: 10 * EVENT })
  const { client } = await stall(t, scene)
  await publishUntil(scene, () => scene.app.connections.counts.overflow === 1)
  client.resume()
  await client.closed()
  const before = eventsOf(client.response.body)
  t.same(numbersOf(before), range(0, before.length - 1), 'what it was given has no hole')
  const again = (await connect(t, scene.port)).get('/', { 'Last-Event-ID': before.at(-1)?.id as string })
  await again.until('event: gap')
  await publishMore(scene, 2)
  await again.until((response) => eventsOf(response.body).length === 3)
  const [gap, ...after] = eventsOf(again.response.body)
  t.match(JSON.parse(gap?.data as string), { reason: 'trimmed', from: before.at(-1)?.id, to: gap?.id })
  t.same(numbersOf(after), [scene.newest() - 1, scene.newest()])
})

await t.test('with overflow: skip, a client that is too slow is told of the gap once it reads on, and goes on with what is new', async (t) => {
  const scene = await serve(t, { bytes: 10 * EVENT }, { overflow: 'skip' })
  const { client, connection } = await stall(t, scene)
  await publishMore(scene, 30)
  t.equal(connection.phase, 'open')
  client.resume()
  await client.until((response) => eventsOf(response.body).some(({ event }) => event === 'gap'))
  await publishMore(scene, 2)
  await client.until((response) => eventsOf(response.body).at(-1)?.data.startsWith(`{"n":${scene.newest()},`))
  const events = eventsOf(client.response.body)
  const at = events.findIndex(({ event }) => event === 'gap')
  const [gap, ...after] = events.slice(at)
  t.same(numbersOf(events.slice(0, at)), range(0, at - 1), 'what it was given has no hole')
  t.match(JSON.parse(gap?.data as string), { reason: 'overflow', from: events[at - 1]?.id, to: gap?.id })
  t.same(numbersOf(after), [scene.newest() - 1, scene.newest()])
  t.equal(connection.phase, 'open')
})
