/** How long a client waits, how it finds that nobody is there, and what it reads of an event stream's positions. */
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Backoff } from '../../client/backoff.ts'
import { eventStreamReader } from '../../client/event-stream.ts'
import type { Link } from '../../client/link.ts'
import { watch } from '../../client/watchdog.ts'
import { open, overWebSocket } from '../support/client.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'

function rolls (t: Test, value: number): void {
  const { random } = Math
  t.teardown(() => { Math.random = random })
  Math.random = () => value
}

await t.test('the delay doubles up to its bound, with full jitter', async (t) => {
  rolls(t, 1)
  const backoff = new Backoff({})
  t.same(Array.from({ length: 7 }, () => backoff.next(0)), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  rolls(t, 0)
  t.equal(backoff.next(0), 0)
  rolls(t, 0.5)
  t.equal(backoff.next(0), 15_000)
})

await t.test('it starts anew behind a stream that lasted longer than the delay, not behind one that ended at once', async (t) => {
  rolls(t, 1)
  const backoff = new Backoff({ delay: 10, maxDelay: 1_000 })
  t.same([backoff.next(-Infinity), backoff.next(5), backoff.next(399), backoff.next(100_000)], [10, 200, 400, 10])
})

await t.test('what the server tells is where it starts, even above the bound, and 0 is for the first time only', async (t) => {
  rolls(t, 1)
  const backoff = new Backoff({})
  backoff.delay = 60_000
  t.same([backoff.next(0), backoff.next(0), backoff.next(0, 5_000)], [60_000, 60_000, 65_000])
  const eager = new Backoff({})
  eager.delay = 0
  t.same([eager.next(0), eager.next(0), eager.next(0)], [0, 200, 400])
})

await t.test('who is told to wait for longer than a timer can hold does not ask at once', async (t) => {
  rolls(t, 1)
  const patient = new Backoff({})
  t.equal(patient.next(0, 1e12), 2 ** 31 - 1)
  patient.delay = 1e15
  t.equal(patient.next(0), 2 ** 31 - 1)
})

await t.test('so many failures in a row, and no more', async (t) => {
  const backoff = new Backoff({ attempts: 2, delay: 10 })
  t.type(backoff.next(0), 'number')
  t.type(backoff.next(0), 'number')
  t.equal(backoff.next(0), undefined)
  t.type(backoff.next(1_000), 'number', 'a success in between')
  const { stream, becomes, states } = open(t, 'http://127.0.0.1:1/', { retry: { attempts: 2, delay: 1 }, onError: () => {} })
  t.ok((await becomes('closed')).error instanceof Error)
  t.same(states, ['connecting', 'waiting', 'connecting', 'waiting', 'connecting', 'closed'])
  t.ok(stream.error instanceof Error)
})

await t.test('a client obeys the retry that the server sends, by both transports', async (t) => {
  rolls(t, 1)
  const server = await start(t, (app) => {
    app.stream('/', { retry: 77, websocket: { init: (_request, connection) => { connection.close('error') } } }, (_request, reply) => { reply.closeChunk() })
  })
  for (const options of [{}, overWebSocket]) {
    const client = open(t, server.origin, { ...options, retry: 1 })
    t.equal((await client.becomes('waiting')).delay, 77)
    client.stream.close()
  }
})

await t.test('a watchdog barks when a laptop wakes up: by the clock that went on while it slept', async (t) => {
  for (const clock of [Date, performance]) {
    const { now } = clock
    t.teardown(() => { clock.now = now })
    let hasBarked = false
    const dog = watch(1_000, () => true, () => { hasBarked = true })
    const fellAsleepAt = performance.now()
    clock.now = () => now.call(clock) + 3_600_000
    await until(() => hasBarked)
    clock.now = now
    t.ok(performance.now() - fellAsleepAt < 900, 'long before the timeout of the one that stood still')
    dog.stop()
  }
})

await t.test('a watchdog lets read what came while the process was busy', async (t) => {
  let hasBarked = false
  const dog = watch(100, () => true, () => { hasBarked = true })
  const busyUntil = performance.now() + 200
  while (performance.now() < busyUntil);
  setTimeout(() => { setImmediate(dog.heard) }, 1)
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.notOk(hasBarked)
  await until(() => hasBarked)
  t.pass('and barks when nothing comes any more')
})

/** Where a reader is behind the text, in pieces. */
function read (pieces: string[]): string | undefined {
  let last: string | undefined
  const link: Pick<Link, 'options' | 'received' | 'moved' | 'delayed'> = {
    options: {},
    received: (_event, _data, id) => { last = id ?? last },
    moved: (id) => { last = id },
    delayed: () => {}
  }
  const feed = eventStreamReader(link as Link)
  for (const piece of pieces) feed(piece)
  return last
}

await t.test('the id of a block without data counts once the block is complete, wherever the text is split', async (t) => {
  const cases: Array<[text: string, id: string | undefined]> = [
    [': heartbeat\nid: e:1\n\n', 'e:1'],
    ['id:e:1\r\n\r\nid: e:2\r\n', 'e:1'],
    ['id: e:1\r\rdata: x\rid: e:2\r', 'e:1'],
    ['id: e:1\n\nid\n\n', ''],
    ['id: e:1\n\nid:\n\n', ''],
    ['id: e:1\n\nid: e\0:2\n\nidle: 7\n\ndata: id: 8\n\n', 'e:1'],
    ['id: e:1\ndata: ' + 'x'.repeat(3_000) + '\nid: e:2\n\n', 'e:2'],
    ['id: e:3\ndata: ' + 'id: 1'.repeat(3_000) + '\n\n', 'e:3'],
    ['data: x\n', undefined]
  ]
  for (const [text, id] of cases) {
    t.equal(read([text]), id, JSON.stringify(text.slice(0, 50)))
    t.equal(read([...text]), id, 'by characters')
  }
  fc.assert(fc.property(
    fc.array(fc.constantFrom('id: 1', 'id: 22', 'data: id: 3', ':', '\n', '\r', '\r\n', '\n\n', '\r\n\r\n', 'id:', ' x'), { maxLength: 20 }),
    (pieces) => read(pieces) === read([pieces.join('')])
  ), { seed: 7, numRuns: 1_000 })
})
