/** The inspector's routes: who gets in, what they see, what they can do, and what is left when they have gone. */
import fastify from 'fastify'
import t, { type Test } from 'tap'
import pastelli, { memoryLog } from '../../index.ts'
import inspector, { type InspectorOptions } from '../../routes/inspector/index.ts'
import { dial } from '../support/web-socket.ts'
import { type Fields, type Inspected, look, startInspected } from '../support/inspected.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const PATHS = ['/inspector', '/inspector/', '/inspector/inspector.js', '/inspector/inspector.css', '/inspector/look', '/inspector/watch?topic=a', '/inspector/connections', '/inspector/topics', '/inspector/connection?id=x']

async function idOf ({ get }: Inspected, nth = 0): Promise<string> {
  const { rows } = await get('/connections')
  return (rows as Array<{ id: string }>)[nth]?.id as string
}

t.test('it is not registered unless it is said who may use it', async (t) => {
  const refused: Array<[code: string, options: unknown]> = [
    ['PST_ERR_INSECURE', {}],
    ['PST_ERR_INSECURE', { auth: undefined }],
    ['PST_ERR_INSECURE', { insecure: false, prefix: '/i' }],
    ['PST_ERR_OPTION', { insecure: 'yes' }],
    ['PST_ERR_OPTION', { auth: [] }],
    ['PST_ERR_OPTION', { auth: 'admin' }],
    ['PST_ERR_OPTION', { auth: [() => {}, null] }],
    ['PST_ERR_OPTION', { auth: async () => {}, insecure: true }],
    ['PST_ERR_OPTION', { insecure: true, interval: 99 }],
    ['PST_ERR_OPTION', { insecure: true, interval: '1s' }],
    ['PST_ERR_OPTION', { insecure: true, onRequest: () => {} }]
  ]
  for (const [code, options] of refused) {
    const app = fastify()
    await app.register(pastelli)
    await t.rejects(async () => { await app.register(inspector, options as InspectorOptions) }, { code }, JSON.stringify(options))
    await app.close()
  }
  const alone = fastify()
  await t.rejects(async () => { await alone.register(inspector, { insecure: true }) }, { message: /dependency 'pastelli' .* is not registered/ })
  await alone.close()
})

t.test('its hooks run ahead of all that it has, in their order, and of nothing else', async (t) => {
  const asked: string[] = []
  const { app, origin } = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) }, {
    auth: [
      async (request) => { asked.push(request.url) },
      (request, reply, done) => {
        if (request.headers.authorization === 'Bearer right') done()
        else void reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who are you?' })
      }
    ]
  })
  for (const url of PATHS) {
    t.equal((await app.inject(url)).statusCode, 401, url)
    t.equal((await app.inject({ url, method: 'HEAD' })).statusCode, 401, `HEAD ${url}`)
  }
  for (const url of ['/inspector/close', '/inspector/publish']) {
    t.equal((await app.inject({ url, method: 'POST', payload: {} })).statusCode, 401, url)
  }
  t.equal(asked.length, 2 * PATHS.length + 2)
  t.equal(app.connections.size, 0)
  t.equal((await subscribe(t, origin, '/')).status, 200)
  const right = { authorization: 'Bearer right' }
  t.equal((await app.inject({ url: '/inspector/', headers: right })).statusCode, 200)
  t.equal((await app.inject({ url: '/inspector/close', method: 'POST', payload: { id: 'x' }, headers: right })).statusCode, 404)
  const viewer = await look(t, { origin }, { headers: right })
  t.equal(viewer.stream.status, 200)
})

t.test('its page is let in nothing but its own files, which a browser keeps until they change', async (t) => {
  const { app } = await startInspected(t, (app) => {
    app.addHook('onRequest', async (_request, reply) => { reply.header('content-security-policy', "default-src 'self'; script-src 'unsafe-inline'") })
  })
  const page = await app.inject('/inspector/')
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8')
  t.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'$/)
  t.equal(page.headers['x-content-type-options'], 'nosniff')
  t.notMatch(page.body, /<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)/, 'nothing in it needs more')
  const named = [...page.body.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, address]) => address as string)
  t.ok(named.length > 2)
  for (const address of named) {
    t.notMatch(address, /^\/|:/, 'its addresses are relative')
    const file = await app.inject(`/inspector/${address}`)
    t.equal(file.statusCode, 200, address)
    const { etag } = file.headers
    const again = await app.inject({ url: `/inspector/${address}`, headers: { 'if-none-match': `"other", W/${etag}` } })
    t.same([again.statusCode, again.body, again.headers.etag], [304, '', etag])
  }
  t.equal((await app.inject('/inspector/OFL.txt')).statusCode, 404)
  t.equal((await app.inject('/inspector/../inspector/index.ts')).statusCode, 404)
})

t.test('without its slash, the page is sent to where its relative addresses hold, behind any prefix of a proxy', async (t) => {
  const { app } = await startInspected(t, () => {})
  const answer = await app.inject('/inspector?key=1')
  t.equal(answer.statusCode, 302)
  t.equal(answer.headers.location, './inspector/?key=1')
  t.equal(new URL(String(answer.headers.location), 'https://example.com/tools/inspector?key=1').href, 'https://example.com/tools/inspector/?key=1')
})

t.test('what it shows is asked for by its own page only, and nothing is done for another', async (t) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) })
  const { app, origin, post } = server
  const client = await subscribe(t, origin, '/')
  const id = await idOf(server)
  const foreign: Fields[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', origin },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${origin}0` }
  ]
  for (const headers of foreign) {
    for (const url of ['/inspector/connections', '/inspector/topics', '/inspector/look', `/inspector/connection?id=${id}`]) {
      const answer = await app.inject({ url, headers } as never)
      t.equal(answer.statusCode, 403, `${JSON.stringify(headers)} ${url}`)
      t.equal(answer.json().code, 'PST_ERR_CROSS_ORIGIN')
    }
    t.equal((await post('/close', { id }, headers)).status, 403)
    t.equal((await post('/publish', { topic: 'a', data: '' }, headers)).status, 403)
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=a']) {
    const answer = await app.inject({ method: 'POST', url: '/inspector/close', headers: { 'content-type': type }, payload: JSON.stringify({ id }) })
    t.equal(answer.statusCode, 415, `${type}, which a form can send`)
  }
  t.equal((await app.inject({ method: 'POST', url: '/inspector/close' })).statusCode, 400)
  t.equal(app.connections.size, 1)
  t.notOk(client.isEnded)
  const { host } = new URL(origin)
  t.equal((await post('/close', { id: 'x' }, { origin, host })).status, 404)
  t.equal((await post('/close', { id: 'x' }, { 'sec-fetch-site': 'same-origin', origin: 'https://outside.example' })).status, 404, 'behind a proxy that has another name')
})

t.test('connections are shown as they are', async (t) => {
  const server = await startInspected(t, (app) => {
    app.stream('/news/:kind', { topics: ({ params }) => [(params as { kind: string }).kind, 'all', 'b', 'c'] }, (_request, { connection }) => {
      connection.name = 'ada'
      connection.expire(Date.now() + 60_000)
    })
    app.stream('/chat', { websocket: { init () {} } })
  })
  const { app, origin, get } = server
  await app.topics.publish('sport', 1)
  await subscribe(t, origin, '/news/sport', { lastEventId: 'x' })
  await dial(t, server, '/chat')
  await until(() => app.connections.size === 2)
  await app.topics.publish('sport', 'goal')
  await until(() => [...app.connections][0]?.events === 2)
  const { rows, total, found } = await get('/connections?sort=route&direction=descending')
  t.same([total, found], [2, 2])
  const [connection, socket] = [...app.connections]
  t.match(rows, [
    { id: connection?.id, name: 'ada', route: '/news/:kind', transport: 'http1', openedAt: connection?.openedAt, phase: 'open', bytes: connection?.bytes, events: 2, queued: 0, behind: 0, lag: 0, topics: ['sport', 'all', 'b'], topicCount: 4 },
    { id: socket?.id, name: null, route: '/chat', transport: 'websocket', topics: [], topicCount: 0 }
  ])
  const detail = await get(`/connection?id=${connection?.id}`)
  t.match(detail, { lastEventId: 'x', protocol: null, position: app.topics.position, topicCount: 4, topics: [{ topic: 'sport', isFiltered: false }, { topic: 'all' }, { topic: 'b' }, { topic: 'c' }] })
  t.ok(Number(detail['expiresAt']) > Date.now())
  t.match(await get(`/connection?id=${socket?.id}`), { position: null, expiresAt: null })
  t.match(await get('/connection?id=nobody'), { statusCode: 404, code: 'PST_ERR_NO_CONNECTION' })
  t.match(await get('/connection'), { statusCode: 404 })
})

t.test('a list is searched, sorted and given a page at a time', async (t) => {
  const server = await startInspected(t, (app) => {
    app.stream('/:n', { topics: ({ params }) => `topic-${(params as { n: string }).n}` }, (request, { connection }) => {
      const n = Number((request.params as { n: string }).n)
      connection.name = `name-${n % 10}`
      for (let i = 0; i < n % 7; i++) connection.event(i)
    })
  })
  const { app, origin, get } = server
  const COUNT = 300
  for (let n = 0; n < COUNT; n += 50) await Promise.all(Array.from({ length: 50 }, (_, i) => subscribe(t, origin, `/${n + i}`)))
  const all = [...app.connections]
  const ids = async (query: string) => ((await get(`/connections?${query}`))['rows'] as Array<{ id: string }>).map(({ id }) => id)
  const sorted = all.map(({ id }) => id).sort()
  t.same(await ids('sort=id&limit=200'), sorted.slice(0, 200))
  t.same(await ids('sort=id&limit=200&offset=200'), sorted.slice(200))
  t.same(await ids('sort=id&direction=descending&limit=3'), sorted.slice(-3).reverse())
  t.same(await ids('sort=id&offset=1000'), [])
  t.equal((await ids('')).length, 50)
  const byEvents = (await get('/connections?sort=events&direction=descending&limit=200'))['rows'] as Array<{ events: number }>
  t.same(byEvents.map(({ events }) => events), all.map(({ events }) => events).sort((a, b) => b - a).slice(0, 200))
  t.match(await get('/connections?search=name-3'), { total: COUNT, found: 30 })
  t.match(await get('/connections?search=NAME-3%20topic-13'), { found: 2 }, 'all words, in capitals or not')
  t.match(await get('/connections?search=http1&limit=0'), { found: COUNT, rows: [] })
  t.match(await get('/connections?search=nothing'), { found: 0, rows: [] })
  for (const sort of ['age', 'name', 'route', 'transport', 'phase', 'bytes', 'rate', 'queued', 'behind', 'topics']) {
    t.match(await get(`/connections?sort=${sort}&limit=1`), { found: COUNT }, sort)
  }
  t.match(await get('/topics?search=topic-29'), { total: COUNT, found: 11 })
  for (const sort of ['subscribers', 'retained', 'rate']) t.match(await get(`/topics?sort=${sort}`), { found: COUNT }, sort)
  for (const wrong of ['sort=colour', 'sort=constructor', 'direction=up', 'offset=-1', 'offset=1e99', 'limit=201', 'limit=x', `search=${'a'.repeat(201)}`]) {
    t.match(await get(`/connections?${wrong}`), { statusCode: 400, code: 'PST_ERR_QUERY' }, wrong)
  }
})

t.test('topics are shown with who is subscribed, what is retained and how fast it comes', async (t) => {
  const server = await startInspected(t, (app) => {
    app.stream('/', { topics: ['a', 'b'] })
    app.stream('/answers/:id', { resumable: ({ params }) => (params as { id: string }).id }, async function * () { yield 'one' })
  })
  const { app, origin, get } = server
  await Promise.all([subscribe(t, origin, '/'), subscribe(t, origin, '/')])
  await (await subscribe(t, origin, '/answers/7')).ended()
  await app.topics.publish('a', 1)
  await app.topics.publish('alone', 1)
  const viewer = await look(t, server)
  await viewer.sees('there is a look', () => true)
  await app.topics.publish('a', 'x'.repeat(1_000))
  const { point } = await viewer.sees('what is published is seen', (_look, { published }) => Number(published) > 0)
  t.ok(Number((point as Fields)['published']) <= 10, 'in a second')
  const { rows } = await get('/topics')
  t.match(rows, [
    { name: 'GET /answers/:id · 7', isPublic: false, subscribers: 0, retained: 2, rate: 0 },
    { topic: 'a', name: 'a', isPublic: true, subscribers: 2, retained: 2 },
    { topic: 'alone', subscribers: 0, retained: 1, rate: 0 },
    { topic: 'b', subscribers: 2, retained: 0, rate: 0 }
  ])
  const [, a] = rows as Array<{ rate: number, byteRate: number }>
  t.ok(Number(a?.rate) > 0 && Number(a?.byteRate) > 1_000 * Number(a?.rate))
  t.match(viewer.looks.at(-1), { topics: 4, log: { position: app.topics.position, events: 5 } })
})

t.test('topics that no app can name are shown, whatever they are made of', async (t) => {
  const log = memoryLog()
  for (const topic of ['\x01nodes', '\x015', '\x01["x"]', '\x01["[\\"GET\\",\\"/a\\",{}]","k"]']) log.append({ topic, data: '', json: false })
  const { get } = await startInspected(t, () => {}, undefined, { pastelli: { log } })
  const { rows } = await get('/topics')
  t.same((rows as Fields[]).map(({ name, isPublic }) => [name, isPublic]), [['5', false], ['GET /a · k', false], ['["x"]', false], ['nodes', false]])
})

t.test('figures come again and again, the same for all who look', async (t) => {
  const server = await startInspected(t, (app) => {
    app.stream('/', { topics: 'a' })
    app.stream('/other', { topics: 'a' })
  })
  const { app, origin } = server
  const clients = await Promise.all(['/', '/', '/other'].map((path) => subscribe(t, origin, path)))
  const viewer = await look(t, server)
  t.match(viewer.hello, { interval: 100, heartbeat: 15_000, points: [] })
  const first = await viewer.sees('three are open', (_look, { open }) => open === 3)
  t.match(first, { transports: { http1: 3 }, routes: [['/', 2], ['/other', 1]] })
  t.match(first['point'], { opened: 0, events: 0, bytes: 0 }, 'what was before is not of this moment')
  for (let i = 0; i < 10; i++) await app.topics.publish('a', 'x'.repeat(100))
  await viewer.sees('what is sent', (_look, { events, bytes }) => Number(events) >= 30 && Number(bytes) > 3_000)
  clients[0]?.leave()
  await viewer.sees('who leaves', (look, { open, closed }) => open === 2 && (closed as Fields)['client'] === 1 && (look['closed'] as Fields)['client'] === 1)
  await subscribe(t, origin, '/')
  await viewer.sees('who comes', (_look, { opened, open }) => opened === 1 && open === 3)
  t.ok(viewer.points.every(({ delay, worst }) => Number(delay) >= 0 && Number(worst) >= Number(delay)))
  const other = await look(t, server)
  const before = other.hello['points'] as Fields[]
  t.ok(before.length >= 4, 'who comes later sees what was until then')
  t.same(before.slice(0, 3), viewer.points.slice(0, 3))
  const { point } = await other.sees('a look', (_look, { at }) => Number(at) > Number(before.at(-1)?.['at']))
  await viewer.sees('the same', (_look, seen) => JSON.stringify(seen) === JSON.stringify(point))
})

t.test('what a stream has sent is counted, also of one that was shorter than a look', async (t) => {
  const server = await startInspected(t, (app) => {
    app.stream('/', async function * () { for (let i = 0; i < 100; i++) yield 'x'.repeat(100) })
  }, { insecure: true, interval: 1_000 })
  const viewer = await look(t, server)
  await viewer.sees('a look', () => true)
  for (let i = 0; i < 3; i++) await (await fetch(server.origin)).text()
  await until(() => server.app.connections.size === 1)
  await viewer.sees('the end of all', () => viewer.points.reduce((sum, { closed }) => sum + Number((closed as Fields)['server']), 0) === 3)
  const sent = (figure: string) => viewer.points.reduce((sum, point) => sum + Number(point[figure]), 0)
  t.ok(sent('events') > 200, `${sent('events')} of 300 events, at about one look a second`)
  t.ok(sent('bytes') > 20_000)
})

t.test('its own streams are neither shown nor counted, nor can they be closed from there', async (t) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) })
  const { app, origin, get, post } = server
  await subscribe(t, origin, '/')
  const viewer = await look(t, server)
  const other = await look(t, server)
  const watcher = await subscribe(t, origin, '/inspector/watch?topic=a')
  t.equal(app.connections.size, 4)
  await viewer.sees('a look', () => true)
  other.stream.leave()
  watcher.leave()
  await until(() => app.connections.size === 2)
  const seen = viewer.looks.length
  await until(() => viewer.looks.length > seen + 1)
  t.ok(viewer.points.every(({ open, opened, closed }) => open === 1 && opened === 0 && Object.values(closed as object).every((count) => count === 0)))
  t.match(viewer.looks.at(-1), { closed: { client: 0, server: 0 }, transports: { http1: 1 } })
  t.match(await get('/connections'), { total: 1, rows: [{ route: '/' }] })
  t.match(await get('/topics'), { rows: [{ topic: 'a', subscribers: 1 }] }, 'who watches is not subscribed')
  const own = [...app.connections].find(({ route }) => route === '/inspector/look')
  t.equal((await post('/close', { id: own?.id })).status, 404)
  t.match(await get(`/connection?id=${own?.id}`), { statusCode: 404 })
})

t.test('one connection is closed properly, or cut, and no other', async (t) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) })
  const { app, origin, post, lines } = server
  const clients = await Promise.all([1, 2, 3].map(() => subscribe(t, origin, '/')))
  const [one, other] = [...app.connections]
  t.same(await post('/close', { id: one?.id }), { status: 204, body: {} })
  t.equal(await one?.closed, 'server')
  t.same(await post('/close', { id: other?.id, cut: true }), { status: 204, body: {} })
  t.equal(await other?.closed, 'server')
  t.equal(app.connections.size, 1)
  await until(() => clients.filter(({ isEnded }) => isEnded).length === 2)
  t.match(await post('/close', { id: one?.id }), { status: 404, body: { code: 'PST_ERR_NO_CONNECTION' } })
  t.match(lines('a connection is closed from the inspector'), [{ connection: one?.id, cut: false }, { connection: other?.id, cut: true }])
  for (const wrong of [[], 'text', 1, null, {}, { id: 1 }, { id: 'x', cut: 'yes' }, { id: 'x', all: true }]) {
    t.match(await post('/close', wrong), { status: 400 }, JSON.stringify(wrong))
  }
})

t.test('a test event goes to all who are subscribed', async (t) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) })
  const { origin, post } = server
  const client = await subscribe(t, origin, '/')
  const { status, body } = await post('/publish', { topic: 'a', data: '{"n":1}' })
  t.equal(status, 200)
  await post('/publish', { topic: 'a', data: '{ "n": 2 }', json: true, event: 'tick' })
  await client.count(2)
  t.same(client.events, [{ event: 'message', data: '{"n":1}', id: body['id'] }, { event: 'tick', data: '{"n":2}', id: client.lastEventId }])
  const wrong: Fields[] = [
    { data: '' }, { topic: 'a' }, { topic: '', data: '' }, { topic: 'a\n', data: '' }, { topic: 'a', data: '{', json: true },
    { topic: 'a', data: '', event: 'a\nb' }, { topic: 'a', data: '', event: 1 }, { topic: 'a', data: '', retry: 1 }
  ]
  for (const fields of wrong) t.match(await post('/publish', fields), { status: 400, body: { code: 'PST_ERR_QUERY' } }, JSON.stringify(fields))
  t.match((await post('/publish', { topic: '', data: '' })).body['message'], /\btopic\b/)
  t.match((await post('/publish', { topic: 'a', data: '', event: 'a\nb' })).body['message'], /\bevent\b/)
})

t.test('a topic is watched as it comes, and not more than can be read', async (t) => {
  const server = await startInspected(t, (app) => {
    app.topics.on('active', (topic) => { t.fail(`${topic} is fed because somebody watches`) })
    app.stream('/answers', { resumable: () => 'k' }, async function * () { yield 'one' })
  })
  const { app, origin, get } = server
  t.match((await app.inject('/inspector/watch')).json(), { statusCode: 400, code: 'PST_ERR_QUERY' })
  const watcher = await subscribe(t, origin, '/inspector/watch?topic=a%26b')
  await app.topics.publish('other', 0)
  await app.topics.publish('a&b', 'first')
  await watcher.until('first')
  for (let n = 0; n < 50; n++) await app.topics.publish('a&b', { n }, { event: 'tick' })
  await watcher.until('"skipped":30')
  const batches = watcher.events.filter(({ event }) => event === 'published').map(({ data }) => JSON.parse(data))
  t.match(batches, [{ events: [{ event: 'message', data: 'first', isCut: false }], skipped: 0 }, { skipped: 30 }])
  t.same(batches[1].events.map(({ data }: { data: string }) => JSON.parse(data).n), Array.from({ length: 20 }, (_, n) => n))
  await app.topics.publish('a&b', 'é'.repeat(1_999) + '🙂')
  await watcher.until('"isCut":true')
  t.ok(watcher.events.at(-1)?.data.includes('é�"'), 'no half of a pair')

  await (await subscribe(t, origin, '/answers')).ended()
  const { rows } = await get('/topics?search=answers')
  const produced = await subscribe(t, origin, `/inspector/watch?topic=${encodeURIComponent((rows as Array<{ topic: string }>)[0]?.topic as string)}`)
  t.equal(produced.status, 200)
  await until(() => app.connections.size === 2)
})

t.test('what watches a topic and does not read gets no more', async (t) => {
  const server = await startInspected(t, () => {}, undefined, { pastelli: { maxBuffered: 300_000, highWaterMark: 1_000 } })
  const { app, origin } = server
  const watcher = await subscribe(t, origin, '/inspector/watch?topic=a')
  watcher.pause()
  const [connection] = app.connections
  let published = 0
  const timer = setInterval(() => {
    for (let i = 0; i < 20; i++) app.topics.publish('a', 'é'.repeat(2_000))
    published += 20
  }, 1)
  t.teardown(() => { clearInterval(timer) })
  await until(() => published > 3_000)
  clearInterval(timer)
  t.equal(app.connections.size, 1, 'and is not cut')
  t.ok((connection?.queued ?? 0) < 300_000)
})

t.test('nothing is done while nobody looks, and nothing is left', async (t) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) })
  const { app, origin, get } = server
  await subscribe(t, origin, '/')
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const idle = timers()
  const { log } = app.topics.feed
  let followers = 0
  const { follow } = log
  log.follow = (...args) => {
    const leave = follow.apply(log, args)
    followers++
    return () => {
      followers--
      return leave()
    }
  }
  const viewers = [await look(t, server), await look(t, server)]
  const watcher = await subscribe(t, origin, '/inspector/watch?topic=a')
  await viewers[0]?.sees('a look', () => true)
  t.equal(followers, 2)
  t.ok(timers() > idle)
  for (const { stream } of viewers) stream.leave()
  watcher.leave()
  await until(() => app.connections.size === 1)
  await until(() => followers === 0, 'nobody follows the log')
  await until(() => timers() <= idle, 'no timer is left')
  t.match(await get('/connections'), { total: 1 }, 'who asks all the same is answered')
  t.equal(followers, 0)
  const again = await look(t, server)
  t.same(again.hello['points'], [], 'and it begins anew')
  t.equal(again.hello['run'], viewers[0]?.hello['run'], 'on the same server')
})

t.test('heartbeats are counted, and pings of WebSockets', async (t) => {
  const server = await startInspected(t, (app) => {
    app.stream('/', { heartbeat: 20, topics: 'a' })
    app.stream('/chat', { heartbeat: 20, websocket: { init () {} } })
  })
  const stream = await subscribe(t, server.origin, '/')
  const viewer = await look(t, server)
  t.ok(await viewer.sees('heartbeats', (_look, { heartbeats }) => Number(heartbeats) > 0))
  stream.leave()
  await viewer.sees('no heartbeats', (_look, { open, heartbeats }) => open === 0 && heartbeats === 0)
  await dial(t, server, '/chat')
  t.ok(await viewer.sees('pings', (_look, { open, heartbeats }) => open === 1 && Number(heartbeats) > 0))
})

t.test('who looks takes no place of the app', async (t) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) }, undefined, { pastelli: { maxConnections: 1, maxConnectionsPerKey: 1 } })
  await subscribe(t, server.origin, '/')
  t.equal((await subscribe(t, server.origin, '/')).status, 503)
  const viewer = await look(t, server)
  await viewer.sees('the one that is open', (_look, { open }) => open === 1)
})

t.test('what it can not look at is logged, and it goes on', async (t) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) })
  const { log } = server.app.topics.feed
  let isBroken = true
  Object.defineProperty(log, 'stock', { get () { if (isBroken) throw new Error('broken') } })
  const viewer = await look(t, server)
  t.match((await server.logged('the inspector can not look')).err, { message: 'broken' })
  t.equal((await server.app.inject('/inspector/topics')).statusCode, 500)
  isBroken = false
  t.match(await viewer.sees('a look', () => true), { log: { events: null, bytes: null } }, 'of a log that can not tell')
  await server.app.topics.publish('a', 1)
  await viewer.sees('what is published', (_look, { published }) => Number(published) > 0)
  t.match(await server.get('/topics'), { rows: [{ topic: 'a', retained: null }] })
})

t.test('a shutdown ends its streams like any other', async (t) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) })
  const viewer = await look(t, server)
  const watcher = await subscribe(t, server.origin, '/inspector/watch?topic=a')
  await viewer.sees('a look', () => true)
  await server.app.close()
  await viewer.stream.ended()
  await watcher.ended()
  t.match(server.lines('stream closed').map(({ reason }) => reason), ['shutdown', 'shutdown'])
  t.same(server.noise(), [])
})

t.test('over HTTP/2', async (t: Test) => {
  const server = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) }, undefined, { http2: true, tls: true })
  await subscribe(t, server.origin, '/', { protocol: 'http2' })
  const viewer = await look(t, server, { protocol: 'http2' })
  await viewer.sees('one is open', (look, { open }) => open === 1 && JSON.stringify(look['transports']) === '{"http2":1}')
  const { host } = new URL(server.origin)
  t.equal((await server.post('/publish', { topic: 'a', data: '' }, { origin: server.origin, host })).status, 200)
})

t.test('of two inspectors in one app, none shows the streams of the other', async (t) => {
  const server = await startInspected(t, async (app) => { await app.register(inspector, { prefix: '/second', insecure: true }) })
  const viewer = await look(t, server)
  await subscribe(t, server.origin, '/second/look')
  await until(() => server.app.connections.size === 2)
  const seen = viewer.looks.length
  await until(() => viewer.looks.length > seen + 1)
  t.match(viewer.points.at(-1), { open: 0 })
  t.match(await server.get('/connections'), { total: 0 })
})
