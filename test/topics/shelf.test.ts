/** Clients that are behind share what they get, and each still gets exactly what is its own. */
import { createParser } from 'eventsource-parser'
import t, { type Test } from 'tap'
import { memoryLog, type Retention } from '../../index.ts'
import { Shelf } from '../../lib/topics/shelf.ts'
import { Frame } from '../../lib/wire/frame.ts'
import { type Server, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'

const FRAME = new Frame('data: x\n\n')
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

const piece = (key: string, after: number, through: number) => ({ key, after, through, frame: FRAME, events: 1 })

await t.test('a piece is for those of its key at its beginning', async (t) => {
  const shelf = new Shelf()
  const kept = piece('own', 10, 20)
  shelf.keep(kept)
  shelf.keep(piece('own', 20, 30))
  shelf.keep(piece('other', 10, 15))
  t.equal(shelf.take('own', 10), kept)
  t.equal(shelf.take('own', 10), kept, 'again')
  t.equal(shelf.take('own', 11), null)
  t.equal(shelf.take('third', 10), null)
})

await t.test('who is within a piece can meet the others at its end', async (t) => {
  const shelf = new Shelf()
  shelf.keep(piece('own', 10, 20))
  t.equal(shelf.meeting('own', 11), 20)
  t.equal(shelf.meeting('own', 19), 20)
  t.equal(shelf.meeting('own', 10), null, 'at the beginning it is taken')
  t.equal(shelf.meeting('own', 20), null)
  t.equal(shelf.meeting('other', 11), null)
})

await t.test('it keeps 64 pieces: those that were used last', async (t) => {
  const shelf = new Shelf()
  for (const n of range(0, 63)) shelf.keep(piece('own', n, n + 1))
  t.ok(shelf.take('own', 0))
  shelf.keep(piece('own', 64, 65))
  t.same(range(0, 64).filter((n) => shelf.take('own', n) === null), [1])
})

async function serve (t: Test, retention: Partial<Retention>): Promise<Server> {
  return await start(t, (app) => {
    app.stream('/', (request, reply) => {
      const { name, even } = request.query as { name?: string, even?: string }
      reply.connection.name = name ?? null
      reply.connection.subscribe('feed', { filter: even === undefined ? null : isEven })
    })
  }, { pastelli: { log: memoryLog(retention) } })
}

function isEven ({ data }: { data: unknown }): boolean {
  return (data as { n: number }).n % 2 === 0
}

function publish ({ app }: Server, count: number, options: (n: number) => object = () => ({})): string[] {
  return range(0, count - 1).map((n) => String(app.topics.publish('feed', { n, pad: 'x'.repeat(2_000) }, options(n))))
}

/** Reads until the event with this id, and answers the numbers of all. */
async function read (t: Test, { port }: Server, from: string, to: string, query = ''): Promise<number[]> {
  const client = (await connect(t, port)).get(`/?${query}`, { 'Last-Event-ID': from })
  await client.until(`id: ${to}\n`)
  await client.until((response) => response.body.subarray(-2).toString() === '\n\n')
  client.leave()
  const numbers: number[] = []
  createParser({ onEvent: ({ data }) => { numbers.push((JSON.parse(data) as { n: number }).n) } }).feed(client.response.body.toString())
  return numbers
}

await t.test('clients that come back to different places all get what they missed, with their filters', async (t) => {
  const server = await serve(t, {})
  const ids = publish(server, 300)
  const last = ids.at(-1) as string
  const places = [0, 0, 1, 20, 33, 34, 100, 200, 298]
  const whole = await Promise.all(places.map((n) => read(t, server, ids[n] as string, last)))
  const even = await Promise.all(places.slice(0, -1).map((n) => read(t, server, ids[n] as string, ids[298] as string, 'even=1')))
  t.same(whole, places.map((n) => range(n + 1, 299)))
  t.same(even, places.slice(0, -1).map((n) => range(n + 1, 299).filter((n) => n % 2 === 0)))
})

await t.test('a filter is asked once for all who come back to one place', async (t) => {
  let asked = 0
  const filter = () => ++asked > 0
  const server = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.connection.subscribe('feed', { filter }) })
  })
  const ids = publish(server, 300)
  const [first = '', last = ''] = [ids[0], ids.at(-1)]
  await read(t, server, first, last)
  const once = asked
  t.same(await read(t, server, first, last), range(1, 299))
  t.equal(once, 299)
  t.ok(asked - once < 50, `of ${once} records, ${asked - once} are not yet a whole write and looked at again`)
})

await t.test('what is not for all is not shared', async (t) => {
  const server = await serve(t, {})
  const ids = publish(server, 200, (n) => n === 10 ? { except: 'alice' } : {})
  const [first = '', last = ''] = [ids[0], ids.at(-1)]
  const bob = await read(t, server, first, last, 'name=bob')
  const alice = await read(t, server, first, last, 'name=alice')
  const again = await read(t, server, first, last, 'name=bob')
  t.same(bob, range(1, 199))
  t.same(alice, range(1, 199).filter((n) => n !== 10))
  t.same(again, bob)
})

await t.test('what the log has trimmed is not given to anybody any more', async (t) => {
  const server = await serve(t, { events: 200 })
  const ids = publish(server, 200)
  t.same(await read(t, server, ids[0] as string, ids.at(-1) as string), range(1, 199))
  publish(server, 10)
  const client = (await connect(t, server.port)).get('/', { 'Last-Event-ID': ids[0] as string })
  await client.until('"reason":"trimmed"')
})
