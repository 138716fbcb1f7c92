/** Events to one connection, or to those of one name, wherever they are. */
import t, { type Test } from 'tap'
import { memoryLog } from '../../index.ts'
import type { OwnNode } from '../../lib/cluster/nodes.ts'
import { acquainted, localLogs, type Logs, type Node, node, nodes, redisLogs } from '../support/cluster.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

const deaf = { changed () {}, left () {}, message () {}, failed () {}, recovered () {}, refused () {} }
const ENGINES: Array<[name: string, skip: string | false, logs: (t: Test) => Promise<Logs>]> = [
  ['in one process', false, async () => localLogs()],
  ['on Redis', withoutRedis(), async (t) => redisLogs(t, await startRedis(t))]
]

for (const [where, skip, logs] of ENGINES) {
  await t.test(`${where}, a connection gets what is sent to its id, from whichever node`, { skip }, async (t) => {
    const all = await nodes(t, await logs(t), 3)
    const [one, other] = all as [Node, Node, Node]
    const witness = new Witness(other.app)
    const client = await subscribe(t, other.origin, '/a?name=ada')
    const bystander = await subscribe(t, other.origin, '/a?name=ben')
    const { id } = await witness.open()
    for (const { app } of all) t.equal(await app.connections.send({ id }, { from: 1 }, { event: 'note', retry: 7 }), true)
    t.equal(await one.app.connections.send({ id }, 'two\nlines'), true)
    await client.count(4)
    t.same(client.data, ['{"from":1}', '{"from":1}', '{"from":1}', 'two\nlines'])
    t.match(client.text, /event: note\nretry: 7\ndata: \{"from":1\}\n\n/)
    t.notMatch(client.text, /\nid: .*\n(event: note|data: two)/, 'with no id: those are positions')
    t.equal(await one.app.connections.send({ id: 'nobody' }, 1), false)
    client.leave()
    await until(() => other.app.connections.get(id) === undefined)
    t.equal(await one.app.connections.send({ id }, 1), false)
    t.same(bystander.events, [])
  })

  await t.test(`${where}, all of one name get it, on all nodes`, { skip }, async (t) => {
    const all = await nodes(t, await logs(t), 3)
    const [one, other, third] = all as [Node, Node, Node]
    const clients = [await subscribe(t, one.origin, '/a?name=ada'), await subscribe(t, other.origin, '/b?name=ada'), await subscribe(t, other.origin, '/b?name=ada')]
    const socket = await dial(t, third, '/a?name=eve')
    const ben = await subscribe(t, third.origin, '/a?name=ben')
    await until(() => [one, other, third].map(({ app }) => app.connections.size).join() === '1,2,2')
    for (const { app } of all) t.equal(await app.connections.send({ name: 'ada' }, 'to ada'), true)
    t.equal(await one.app.connections.send({ name: 'eve' }, { n: 1 }, { event: 'note' }), true)
    t.equal(await one.app.connections.send({ name: 'nobody' }, 1), false)
    for (const client of clients) {
      await client.count(3)
      t.same(client.data, ['to ada', 'to ada', 'to ada'])
    }
    await until(() => socket.waiting.some((message) => String(message).includes('note')))
    t.same(JSON.parse(String(socket.waiting.at(-1))), { event: 'note', data: { n: 1 } })
    t.same(ben.events, [])
  })

  await t.test(`${where}, one that can not take it says so, and keeps it from no other`, { skip }, async (t) => {
    const next = await logs(t)
    const one = await node(t, await next())
    const strict = await node(t, await next(), {}, (app) => {
      app.stream('/strict/a', { schema: { events: { message: { type: 'string' } } } }, (_request, { connection }) => { connection.name = 'ada' })
    })
    await acquainted([one, strict])
    const client = await subscribe(t, strict.origin, '/strict/a')
    await until(() => strict.app.connections.named('ada').length === 1)
    for (const { app } of [one, strict]) t.equal(await app.connections.send({ name: 'ada' }, 'x', { event: 'unknown' }), false)
    const other = await subscribe(t, strict.origin, '/a?name=ada')
    await until(() => strict.app.connections.named('ada').length === 2)
    for (const { app } of [one, strict]) t.equal(await app.connections.send({ name: 'ada' }, 'x', { event: 'unknown' }), true)
    await other.count(2)
    t.same(client.events, [])
    t.match(await strict.logged('an event could not be sent to a connection'), { err: { code: 'PST_ERR_EVENT' } })
  })
}

await t.test('what can not be sent throws at once, and nothing is sent', async (t) => {
  const one = await node(t, memoryLog())
  const witness = new Witness(one.app)
  const client = await subscribe(t, one.origin, '/a?name=ada')
  const { id } = await witness.open()
  const { connections } = one.app
  for (const data of [undefined, () => {}, 1n, Promise.resolve(1), '\ud83c', 'x'.repeat(600_000)]) {
    t.throws(() => { void connections.send({ id }, data) }, { code: 'PST_ERR_DATA' })
  }
  for (const to of [null, undefined, 'ada', {}, { id: 1 }, { name: null }, { id, name: 'ada' }, []]) {
    t.throws(() => { void connections.send(to as never, 1) }, { code: 'PST_ERR_ARGUMENT' })
  }
  for (const options of [{ event: 'a\nb' }, { retry: -1 }, { id: '7' }, { timeout: 0 }, { timeout: 2 ** 31 }, { timeout: '1' }, { topic: 'a' }, 7, null]) {
    t.throws(() => { void connections.send({ id }, 1, options as object) }, { code: 'PST_ERR_FIELD' })
  }
  t.equal(await connections.send({ id }, 'last'), true)
  await client.count(1)
  t.same(client.data, ['last'])
})

await t.test('a node that does not answer is told of in time, and one that leaves is not waited for', async (t) => {
  const log = memoryLog()
  const one = await node(t, log)
  const silent = log.nodes?.join(deaf)
  await subscribe(t, one.origin, '/a?name=ada')
  const began = performance.now()
  await t.rejects(one.app.connections.send({ id: 'x' }, 1, { timeout: 100 }), { code: 'PST_ERR_SEND', message: /1 of the other nodes did not answer within 100 ms/ })
  await t.rejects(one.app.connections.send({ name: 'ada' }, 1, { timeout: 100 }), { code: 'PST_ERR_SEND' }, 'also if some have taken it')
  t.ok(performance.now() - began < 1_500)
  const waiting = one.app.connections.send({ name: 'ada' }, 1)
  await silent?.leave()
  t.equal(await waiting, true)
  log.nodes?.join(deaf)
  const left = one.app.connections.send({ name: 'ada' }, 1)
  await Promise.all([t.rejects(left, { code: 'PST_ERR_SEND', message: /the app closes/ }), one.app.close()])
})

await t.test('as many sends may wait for answers as there may, and no more', async (t) => {
  const log = memoryLog()
  const one = await node(t, log)
  log.nodes?.join(deaf)
  const waiting = Array.from({ length: 10_000 }, () => one.app.connections.send({ id: 'x' }, 1, { timeout: 500 }))
  const settled = Promise.allSettled(waiting)
  await t.rejects(one.app.connections.send({ id: 'x' }, 1), { code: 'PST_ERR_SEND', message: /too many/ })
  t.ok((await settled).every(({ status }) => status === 'rejected'))
})

await t.test('a message that is none of a node crashes nothing, and is told of once', async (t) => {
  const log = memoryLog()
  const one = await node(t, log)
  const answers: unknown[] = []
  const forger = log.nodes?.join({ ...deaf, message: (_from, body) => { answers.push(JSON.parse(body)) } }) as OwnNode
  const client = await subscribe(t, one.origin, '/a?name=ada')
  await until(() => one.app.connections.size === 1)
  const right = { ask: 1, name: 'ada', data: 'x', json: false }
  const wrong = [
    { ...right, ask: '1' }, { ...right, ask: 1.5 }, { ...right, id: 'x' }, { ...right, name: undefined }, { ...right, name: 1 }, { ...right, data: 1 }, { ...right, json: 1 },
    { ...right, event: 'a\nid: 7' }, { ...right, retry: 'soon' }, { ...right, json: true }, { answer: 'x', taken: true }, { answer: 1 }, {}
  ]
  for (const body of ['', '{', 'null', '1', '[]', ...wrong.map((message) => JSON.stringify(message)), '{"answer":12345,"taken":true}']) await forger.send(null, body)
  await forger.send(null, JSON.stringify({ ...right, later: 'field' }))
  await client.count(1)
  t.same(client.data, ['x'])
  await until(() => answers.length === 1)
  t.same(answers, [{ answer: 1, taken: true }])
  t.equal(one.lines('what another node sent is no event to a connection').length, 1)
})
