/** Who is present on a topic, on several nodes. */
import t, { type Test } from 'tap'
import { memoryLog } from '../../index.ts'
import { counted, localLogs, type Logs, namesOf, type Node, node, nodes, redisLogs } from '../support/cluster.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { dial } from '../support/web-socket.ts'
import { Witness } from '../support/witness.ts'

type Pair = [Node, Node]

const skipRedis = withoutRedis()
const ENGINES: Array<[name: string, skip: string | false, logs: (t: Test) => Promise<Logs>]> = [
  ['in one process', false, async () => localLogs()],
  ['on Redis', skipRedis, async (t) => redisLogs(t, await startRedis(t))]
]

for (const [where, skip, logs] of ENGINES) {
  await t.test(`${where}, each node knows who is connected to a topic, on whichever node`, { skip }, async (t) => {
    const all = await nodes(t, await logs(t), 2)
    const [one, other] = all as Pair
    const before = Date.now()
    await subscribe(t, one.origin, '/a?name=ada&data={"age":7}')
    await subscribe(t, other.origin, '/a,b?name=ben&data="text"')
    const socket = await dial(t, other, '/b?name=eve')
    await counted(all, 'a', 2)
    await counted(all, 'b', 2)
    for (const { app, told } of all) {
      t.same(namesOf(app.presence.list('a')), ['ada', 'ben'])
      t.same(namesOf(app.presence.list('b')), ['ben', 'eve'])
      t.same([app.presence.list('c'), app.presence.count('c')], [[], 0])
      t.same([...told].sort(), ['join a ada', 'join a ben', 'join b ben', 'join b eve'])
      const [ada, ben] = app.presence.list('a').sort((a, b) => (a.name ?? '').localeCompare(b.name ?? ''))
      const connection = one.app.connections.named('ada')[0]
      t.match(ada, { id: connection?.id, name: 'ada', node: one.app.presence.node, data: { age: 7 } })
      t.ok(ada !== undefined && ada.since >= before && ada.since <= Date.now())
      t.same(ben?.data, 'text')
      t.same(app.presence.list('b').find(({ name }) => name === 'eve')?.data, null)
    }
    socket.ws.close()
    await counted(all, 'b', 1)
    for (const { told } of all) t.same(told.slice(4), ['leave b eve'])
  })

  await t.test(`${where}, a connection leaves when it is unsubscribed, closed, or has lost the right`, { skip }, async (t) => {
    let allowed = true
    const next = await logs(t)
    const one = await node(t, await next(), { canSubscribe: async (_request, topic) => allowed || topic !== 'b' })
    const other = await node(t, await next())
    const all = [one, other]
    const witness = new Witness(one.app)
    const client = await subscribe(t, one.origin, '/a,b?name=ada')
    await subscribe(t, one.origin, '/a?name=ben')
    const connection = await witness.open()
    await counted(all, 'a', 2)
    await counted(all, 'b', 1)
    connection.unsubscribe('a')
    await counted(all, 'a', 1)
    connection.subscribe('a')
    await until(() => one.app.topics.subscribers('a') === 2)
    t.equal(one.app.presence.count('a'), 1, 'subscribed again without it, it is not present')
    allowed = false
    await one.app.topics.reauthorize()
    await client.ended()
    await counted(all, 'b', 0)
    ;(await witness.open(1)).close()
    await counted(all, 'a', 0)
    for (const { told } of all) {
      t.same(told.filter((line) => line.endsWith('ada')).sort(), ['join a ada', 'join b ada', 'leave a ada', 'leave b ada'])
      t.same(told.filter((line) => line.endsWith('ben')), ['join a ben', 'leave a ben'])
    }
  })

  await t.test(`${where}, a node that closes takes its members with it, told once everywhere`, { skip }, async (t) => {
    const all = await nodes(t, await logs(t), 3)
    const [one, ...others] = all as [Node, Node, Node]
    for (let i = 0; i < 20; i++) await subscribe(t, one.origin, `/a?name=${i}`)
    await subscribe(t, others[0].origin, '/a?name=stays')
    await counted(all, 'a', 21)
    await one.app.close()
    await counted(others, 'a', 1)
    await until(() => others.every(({ app }) => app.presence.nodes.length === 2))
    for (const { told } of all) {
      const left = told.filter((line) => line.startsWith('leave'))
      t.same([...left].sort(), Array.from({ length: 20 }, (_, i) => `leave a ${i}`).sort())
    }
  })

  await t.test(`${where}, what a member is present with can change: it leaves and joins`, { skip }, async (t) => {
    const all = await nodes(t, await logs(t), 2)
    const [one] = all as Pair
    const witness = new Witness(one.app)
    await subscribe(t, one.origin, '/a?name=ada&data=1')
    const connection = await witness.open()
    await counted(all, 'a', 1)
    connection.subscribe('a', { presence: 2 })
    connection.subscribe('a', { presence: 2 })
    await until(() => all.every(({ app }) => app.presence.list('a')[0]?.data === 2))
    for (const { told } of all) t.same(told, ['join a ada', 'leave a ada', 'join a ada'])
  })
}

await t.test('a connection is present when it is open, and one that never opens is not', async (t) => {
  const seen: string[] = []
  const one = await node(t, memoryLog(), {}, (app) => {
    app.stream('/refused/now', (_request, { connection }) => {
      connection.subscribe('a', { presence: true })
      seen.push(`${app.presence.count('a')} in the handler`)
      throw new Error('no')
    })
    app.connections.on('open', (connection) => { connection.subscribe('b', { presence: true }) })
  })
  const refused = await subscribe(t, one.origin, '/refused/now')
  t.equal(refused.status, 500)
  t.same([one.told, seen], [[], ['0 in the handler']])
  await subscribe(t, one.origin, '/a?name=ada')
  await counted([one], 'a', 1)
  t.same(one.told, ['join a ada', 'join b ada'])
})

await t.test('who is not let in is not present, and neither is who left before the answer', async (t) => {
  let answer: (may: boolean) => void = () => {}
  const one = await node(t, memoryLog(), { canSubscribe: (_request, topic) => topic === 'x' || new Promise((resolve) => { answer = resolve }) })
  const witness = new Witness(one.app)
  await subscribe(t, one.origin, '/x?name=ada')
  const connection = await witness.open()
  const refused = connection.subscribe('a', { presence: true })
  answer(false)
  await t.rejects(refused as Promise<void>, { code: 'PST_ERR_FORBIDDEN' })
  const left = connection.subscribe('a', { presence: true })
  connection.unsubscribe('a')
  answer(true)
  await left
  const closed = connection.subscribe('a', { presence: true })
  connection.close()
  answer(true)
  await closed
  t.same(one.told, ['join x ada', 'leave x ada'])
})

await t.test('data that is too much, or no JSON, throws before anything is subscribed', async (t) => {
  const one = await node(t, memoryLog())
  const witness = new Witness(one.app)
  await subscribe(t, one.origin, '/x?name=ada')
  const connection = await witness.open()
  t.throws(() => connection.subscribe('a', { presence: 'x'.repeat(1_023) }), { code: 'PST_ERR_PRESENCE', message: /1024 bytes as JSON, got 1025/ })
  t.throws(() => connection.subscribe('a', { presence: { text: 'ü'.repeat(600) } }), { code: 'PST_ERR_PRESENCE' })
  t.throws(() => connection.subscribe('a', { presence: () => {} }), { code: 'PST_ERR_DATA' })
  t.throws(() => connection.subscribe('a', { presence: 1n }), { code: 'PST_ERR_DATA' })
  t.equal(one.app.topics.subscribers('a'), 0)
  connection.subscribe('a', { presence: 'x'.repeat(1_022) })
  t.equal(one.app.presence.count('a'), 1)
  for (const none of [false, null, undefined]) connection.subscribe('b', { presence: none })
  t.equal(one.app.presence.count('b'), 0)
})

await t.test('a name is that at the time, unless it is very long', async (t) => {
  const one = await node(t, memoryLog())
  const witness = new Witness(one.app)
  await subscribe(t, one.origin, `/x?name=${'n'.repeat(1_025)}`)
  const connection = await witness.open()
  connection.name = '\ud83c"\n'.repeat(300)
  connection.subscribe('a', { presence: true })
  connection.name = 'later'
  t.equal(one.app.presence.list('x')[0]?.name, null)
  t.equal(one.app.presence.list('a')[0]?.name, '\ud83c"\n'.repeat(300))
})

await t.test('a listener that fails keeps nobody else from being told', async (t) => {
  const one = await node(t, memoryLog())
  one.app.presence.prependListener('join', () => { throw new Error('listener') })
  await subscribe(t, one.origin, '/a?name=ada')
  await counted([one], 'a', 1)
  t.same(one.told, ['join a ada'])
  t.equal((await one.logged('a listener of "join" failed')).err?.message, 'listener')
})

await t.test('what another version says, or nobody who knows how, makes no member', async (t) => {
  const log = memoryLog()
  const one = await node(t, log)
  await subscribe(t, one.origin, '/a?name=ada')
  const [ada] = one.app.presence.list('a')
  const forger = log.nodes?.join({ changed () {}, left () {}, message () {}, failed () {}, recovered () {}, refused () {} })
  for (const value of ['', '{', 'null', '[]', '[1,2,3]', '["x","2",3]', '["x",1.5]', '{"name":1}']) {
    forger?.set('x a', value)
    forger?.set('a', value)
  }
  forger?.set(`${ada?.id ?? ''} a`, '["forged",1,null]')
  forger?.set(`${ada?.id ?? ''} a`, null)
  t.same(one.app.presence.list('a'), [ada], 'and none takes the place of another node\'s')
  forger?.set('x a', '["right",1,{"__proto__":{"admin":true}}]')
  t.same(namesOf(one.app.presence.list('a')), ['ada', 'right'])
  t.notOk((one.app.presence.list('a')[1]?.data as { admin?: boolean }).admin)
  await forger?.leave()
  t.same(one.app.presence.list('a'), [ada])
})
