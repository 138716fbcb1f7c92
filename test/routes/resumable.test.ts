/** Resumable streams, as their clients see them: one run for all, and everybody gets all of it, once. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import { EventSource } from 'undici'
import { event, type Log, memoryLog, type PastelliOptions, type StreamOptions } from '../../index.ts'
import { Script } from '../support/script.ts'
import { type LogLine, type Server, type ServerOptions, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const byId = (request: FastifyRequest) => (request.params as { id: string }).id

interface Stage extends Server { script: Script }

/** A server with a resumable stream at `/:id`, fed by a script. */
async function stage (t: Parameters<typeof start>[0], own: Partial<StreamOptions> = {}, options: ServerOptions = {}): Promise<Stage> {
  const script = new Script()
  const server = await start(t, (app) => { app.stream('/:id', { resumable: byId, ...own }, script.handler) }, options)
  return { ...server, script }
}

function tokens (from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `t${from + i}`)
}

/** The ids that clients get with these tokens: the log is all theirs. */
function idsOf ({ app }: Server, count: number): string[] {
  const [epoch] = app.topics.position.split(':')
  return Array.from({ length: count + 1 }, (_, i) => `${epoch}:${i}`)
}

async function bodyOf (client: Subscriber): Promise<string> {
  await client.ended()
  return client.text
}

await t.test('the handler runs once for all who ask with the same key, and each gets all of it, whenever it comes', async (t) => {
  const { app, origin, script } = await stage(t)
  const witness = new Witness(app)
  script.give('t1')
  const early = await subscribe(t, origin, '/a')
  await early.count(1)
  script.give('t2', 't3')
  const [second, third] = await Promise.all([subscribe(t, origin, '/a'), subscribe(t, origin, '/a')])
  await third.count(3)
  script.give('t4').end()
  await early.ended()
  const late = await subscribe(t, origin, '/a')
  for (const client of [early, second, third, late]) {
    await client.ended()
    t.same(client.data, tokens(1, 4))
    t.same(client.gaps, [])
    t.equal(client.headers['content-type'], 'text/event-stream; charset=utf-8')
  }
  t.same(script.runs.map(({ key }) => key), ['a'])
  await witness.sees(t, 'server')
})

await t.test('another key is another run, which knows its key', async (t) => {
  const { origin, script } = await stage(t)
  script.give('t1').end()
  for (const key of ['a', 'b', encodeURIComponent('ü b\n"c"')]) t.match(await bodyOf(await subscribe(t, origin, `/${key}`)), /data: t1\n\n$/)
  t.same(script.runs.map(({ key }) => key), ['a', 'b', 'ü b\n"c"'])
})

for (const phase of ['that runs', 'that has ended'] as const) {
  await t.test(`from every token of a stream ${phase} a client gets the rest, by header and by query`, async (t) => {
    const server = await stage(t)
    const { origin, script } = server
    script.give(...tokens(1, 8))
    const first = await subscribe(t, origin, '/a')
    await first.count(8)
    if (phase === 'that has ended') {
      script.give('t9').end()
      await first.ended()
    }
    const ids = idsOf(server, 8)
    const clients = await Promise.all(ids.flatMap((id) => [
      subscribe(t, origin, '/a', { lastEventId: id }),
      subscribe(t, origin, `/a?lastEventId=${id}`)
    ]))
    if (phase === 'that runs') {
      await until(() => server.app.connections.size === 1 + clients.length)
      script.give('t9').end()
    }
    for (const [i, client] of clients.entries()) {
      await client.ended()
      t.same(client.data, tokens((i >> 1) + 1, 9), `from ${i >> 1}`)
      t.same(client.gaps, [])
    }
    t.equal(script.runs.length, 1)
  })
}

await t.test('a client that is cut again and again gets every token once', async (t) => {
  const { origin, script } = await stage(t)
  const seen: string[] = []
  let lastEventId = ''
  for (let n = 1; n <= 10; n++) {
    script.give(`t${2 * n - 1}`)
    const client = await subscribe(t, origin, '/a', { lastEventId })
    script.give(`t${2 * n}`)
    await client.count(2)
    client.leave()
    seen.push(...client.data)
    ;({ lastEventId } = client)
  }
  t.same(seen, tokens(1, 20))
  t.equal(script.runs.length, 1)
})

await t.test('a client that is cut before the first token loses nothing', async (t) => {
  const { app, origin, script } = await stage(t)
  script.give(event({ comment: 'it opens the stream' }))
  const first = await subscribe(t, origin, '/a')
  await until(() => first.lastEventId)
  first.leave()
  await until(() => app.connections.size === 0)
  script.give('t1', 't2').end()
  const second = await subscribe(t, origin, '/a', { lastEventId: first.lastEventId })
  await second.ended()
  t.same(second.data, tokens(1, 2))
  t.same(second.gaps, [])
})

await t.test('who has everything of a stream that has ended is told not to come back', async (t) => {
  const server = await stage(t)
  const { origin, script } = server
  script.give('t1', 't2').end()
  await (await subscribe(t, origin, '/a')).ended()
  const [, , last] = idsOf(server, 2)
  const client = await subscribe(t, origin, '/a', { lastEventId: last })
  await client.ended()
  t.equal(client.status, 204)
  t.equal(client.text, '')
  t.equal(server.app.connections.size, 0)
  t.same(server.noise(), [])
})

await t.test('an EventSource gets all of it, across a cut, and then comes back no more', async (t) => {
  const { app, origin, script } = await stage(t, { retry: 10 })
  const source = new EventSource(`${origin}/a`)
  t.teardown(() => { source.close() })
  const seen: string[] = []
  source.onmessage = ({ data }) => { seen.push(data) }
  script.give('t1', 't2')
  await until(() => seen.length === 2)
  for (const connection of app.connections) connection.destroy()
  script.give('t3').end()
  await until(() => source.readyState === EventSource.CLOSED, 'it is told 204')
  t.same(seen, tokens(1, 3))
  t.equal(script.runs.length, 1)
})

await t.test('a stream that ends without a token ends', async (t) => {
  const { origin, script } = await stage(t)
  script.end()
  const client = await subscribe(t, origin, '/a')
  await client.ended()
  t.same(client.events, [])
  t.equal(script.runs.length, 1)
})

await t.test('a client that reads nothing while the stream runs gets all of it when it reads', async (t) => {
  const server = await stage(t, {}, { pastelli: { log: memoryLog({ bytes: Infinity }) } })
  const { app, script } = server
  const items = Array.from({ length: 4_000 }, (_, i) => `${i}:${'x'.repeat(4_000)}`)
  const client = await open(t, server)
  client.pause()
  script.give(...items).end()
  await until(() => script.runs[0]?.isOver)
  t.equal(app.connections.size, 1)
  client.resume()
  await client.ended()
  t.same(client.data, items)
})

await t.test('a client that comes back to a part that was trimmed is told so, and gets what there is', async (t) => {
  const server = await stage(t, {}, { pastelli: { log: memoryLog({ events: 4 }) } })
  const { origin, script } = server
  const first = await open(t, server)
  script.give(...tokens(1, 10))
  await first.count(10)
  const ids = idsOf(server, 10)
  const clients = await Promise.all([3, 5, 6, 7].map((n) => subscribe(t, origin, '/a', { lastEventId: ids[n] })))
  const newcomer = await subscribe(t, origin, '/a')
  script.give('t11').end()
  const [third, fifth, sixth, seventh] = clients as [Subscriber, Subscriber, Subscriber, Subscriber]
  for (const client of [third, fifth]) {
    await client.ended()
    t.same(client.gaps, [{ reason: 'trimmed', from: ids[client === third ? 3 : 5], to: ids[6] }])
    t.equal(client.events[0]?.event, 'gap')
    t.same(client.data, tokens(7, 11))
  }
  await Promise.all([sixth.ended(), seventh.ended(), newcomer.ended()])
  t.same([sixth.data, sixth.gaps], [tokens(7, 11), []])
  t.same([seventh.data, seventh.gaps], [tokens(8, 11), []])
  t.same(newcomer.gaps, [{ reason: 'trimmed', from: null, to: ids[6] }], 'one that comes too late for the start is told as well')
  t.same(newcomer.data, tokens(7, 11))
})

await t.test('of a stream whose tokens were all trimmed, but not its end, nobody is told that it has everything', async (t) => {
  const server = await stage(t, {}, { pastelli: { log: memoryLog({ events: 1 }) } })
  const { origin, script } = server
  const first = await open(t, server)
  script.give(...tokens(1, 3)).end()
  await first.ended()
  const ids = idsOf(server, 3)
  const [late, second, newest] = await Promise.all([subscribe(t, origin, '/a'), subscribe(t, origin, '/a', { lastEventId: ids[2] }), subscribe(t, origin, '/a', { lastEventId: ids[3] })])
  await Promise.all([late.ended(), second.ended()])
  t.same(late.gaps, [{ reason: 'trimmed', from: null, to: ids[3] }])
  t.same(second.gaps, [{ reason: 'trimmed', from: ids[2], to: ids[3] }])
  t.equal(newest.status, 204, 'but who has')
  t.equal(script.runs.length, 1)
})

await t.test('a stream that was trimmed as a whole runs again, and only who was there before is told of a gap', async (t) => {
  const server = await stage(t, {}, { pastelli: { log: memoryLog({ events: 3 }) } })
  const { app, origin, script } = server
  script.give('t1', 't2').end()
  await (await subscribe(t, origin, '/a')).ended()
  for (let i = 0; i < 3; i++) app.topics.publish('other', i)
  const newcomer = await subscribe(t, origin, '/a')
  await newcomer.ended()
  t.same([newcomer.data, newcomer.gaps], [tokens(1, 2), []])
  t.equal(script.runs.length, 2)
  const ids = idsOf(server, 2)
  const back = await subscribe(t, origin, '/a', { lastEventId: ids[1] })
  await back.ended()
  t.match(back.gaps, [{ reason: 'trimmed', from: ids[1] }])
  t.same(back.data, tokens(1, 2))
  t.equal(script.runs.length, 2)
})

await t.test('a position of another life of the log, or none at all: one gap, and then all of it', async (t) => {
  for (const phase of ['none', 'running', 'ended'] as const) {
    const { origin, script, app } = await stage(t)
    if (phase !== 'none') {
      script.give('t1', 't2')
      const first = await subscribe(t, origin, '/a')
      await first.count(2)
      if (phase === 'ended') {
        script.end()
        await first.ended()
      }
    }
    const cases = [{ given: 'zzzzzzzz:1', reason: 'foreign', from: 'zzzzzzzz:1' }, { given: 'nonsense', reason: 'malformed', from: null }]
    const clients = cases.map(({ given }) => subscribe(t, origin, '/a', { lastEventId: given }))
    if (phase === 'none') script.give('t1', 't2')
    if (phase !== 'ended') script.end()
    for (const [i, coming] of clients.entries()) {
      const client = await coming
      await client.ended()
      const { reason, from } = cases[i] as typeof cases[0]
      t.match(client.gaps, [{ reason, from, to: app.topics.position.replace(/\d+$/, '0') }], `${reason}, ${phase}`)
      t.equal(client.events[0]?.event, 'gap')
      t.same(client.data, tokens(1, 2))
    }
    t.equal(script.runs.length, 1)
  }
})

await t.test('a key that is none fails the request, and nothing runs', async (t) => {
  const bad = [undefined, null, '', 7, {}, 'x'.repeat(257)]
  for (const key of bad) {
    for (const resumable of [() => key, async () => key]) {
      const { origin, script } = await stage(t, { resumable: resumable as () => string })
      const response = await fetch(`${origin}/a`)
      t.equal(response.status, 500)
      t.match(await response.json(), { code: 'PST_ERR_ARGUMENT', message: /^resumable takes a function that answers a key, a text of 1 to 256 characters/ })
      t.equal(script.runs.length, 0)
    }
  }
  const { origin, script } = await stage(t, { resumable: () => 'x'.repeat(256) })
  script.end()
  t.equal((await fetch(`${origin}/a`)).status, 200)
})

await t.test('what the key\'s function throws is the answer', async (t) => {
  const refuse = () => { throw Object.assign(new Error('not yours'), { statusCode: 403 }) }
  for (const resumable of [refuse, async () => refuse()]) {
    const { origin, script } = await stage(t, { resumable })
    t.equal((await fetch(`${origin}/a`)).status, 403)
    t.equal(script.runs.length, 0)
  }
})

await t.test('a wrong option is refused when the route is declared', async (t) => {
  const wrong: Array<[Record<string, unknown>, string]> = [
    ...['a', 7, null, {}, true].map((resumable): [Record<string, unknown>, string] => [{ resumable }, 'resumable']),
    ...[-1, 1.5, '1', null, NaN, Infinity, 2 ** 31].map((abandonAfter): [Record<string, unknown>, string] => [{ resumable: byId, abandonAfter }, 'abandonAfter']),
    [{ resumable: byId, topics: 'news' }, 'resumable'],
    [{ abandonAfter: 100 }, 'abandonAfter']
  ]
  await start(t, (app) => {
    for (const [options, name] of wrong) {
      t.throws(() => app.stream('/x', options as StreamOptions, () => ['t1']), { code: 'PST_ERR_OPTION', message: new RegExp(`"${name}"`) }, JSON.stringify(options))
    }
    t.doesNotThrow(() => app.stream('/0', { resumable: byId, abandonAfter: 0 }, () => ['t1']))
    t.doesNotThrow(() => app.stream('/1', { resumable: byId, abandonAfter: 2 ** 31 - 1 }, () => ['t1']))
  })
})

await t.test('the keys of one route are not those of another', async (t) => {
  const runs: string[] = []
  const { origin } = await start(t, async (app) => {
    const declare = (app: FastifyInstance, path: string, name: string, options: { method?: 'POST', constraints?: { host: string } } = {}) => {
      app.stream(path, { ...options, resumable: (request) => new URL(request.url, 'http://x').searchParams.get('key') as string }, async function * () {
        runs.push(name)
        yield name
      })
    }
    declare(app, '/a', 'GET /a')
    declare(app, '/a', 'POST /a', { method: 'POST' })
    declare(app, '/a', 'GET /a of a host', { constraints: { host: 'other.example' } })
    declare(app, '/b', 'GET /b')
    await app.register(async (nested) => { declare(nested, '/a', 'GET /nested/a') }, { prefix: '/nested' })
  })
  const ask = async (name: string, headers: Record<string, string> = {}) => {
    const [method = '', path = ''] = name.split(' ')
    const response = await fetch(`${origin}${path}?key=${encodeURIComponent('same\nkey')}`, { method, headers: { accept: 'text/plain', ...headers } })
    return await response.text()
  }
  const names = ['GET /a', 'POST /a', 'GET /b', 'GET /nested/a']
  for (const name of [...names, ...names]) t.equal(await ask(name), name)
  const client = (await connect(t, Number(new URL(origin).port))).write('GET /a?key=same%0Akey HTTP/1.1\r\nHost: other.example\r\nAccept: text/plain\r\n\r\n')
  t.match((await client.answer()).body.toString(), 'GET /a of a host')
  t.same(runs, [...names, 'GET /a of a host'], 'and each ran once')
})

await t.test('a key can\'t lead into the stream of another, whatever it is made of', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/own/:id', { resumable: byId }, async function * (request, reply) {
      reply.connection.subscribe('z')
      yield `for ${byId(request)}`
      await new Promise((resolve) => { reply.connection.signal.addEventListener('abort', resolve) })
    })
  })
  const victim = await subscribe(t, origin, '/own/k')
  const attacker = await subscribe(t, origin, `/own/${encodeURIComponent('k\nz')}`)
  await Promise.all([victim.count(1), attacker.count(1)])
  app.topics.publish('z', 'news')
  await Promise.all([victim.count(2), attacker.count(2)])
  t.same(victim.data, ['for k', 'news'])
  t.same(attacker.data, ['for k\nz', 'news'])
})

await t.test('an app can\'t name the topic of a resumable stream, nor does it hear of it', async (t) => {
  const { app, origin, script } = await stage(t)
  const heard: string[] = []
  app.topics.on('active', (topic) => { heard.push(topic) }).on('idle', (topic) => { heard.push(topic) })
  script.give('t1')
  const client = await subscribe(t, origin, '/a')
  await client.count(1)
  const [connection] = app.connections
  for (const topic of ['\x01/:id\na', '\x01', '\x01["GET","/:id"]']) {
    t.throws(() => app.topics.publish(topic, 'forged'), { code: 'PST_ERR_TOPIC' })
    t.throws(() => connection?.subscribe(topic), { code: 'PST_ERR_TOPIC' })
    t.throws(() => connection?.unsubscribe(topic), { code: 'PST_ERR_TOPIC' })
  }
  script.end()
  await client.ended()
  t.same(client.data, ['t1'])
  t.same(heard, [])
})

await t.test('canSubscribe is not asked: the route\'s own hooks and its key say who may', async (t) => {
  const asked: string[] = []
  const canSubscribe: PastelliOptions['canSubscribe'] = (_request, topic) => {
    asked.push(topic)
    return false
  }
  const { app, origin, script } = await stage(t, {}, { pastelli: { canSubscribe } })
  script.give('t1')
  const client = await subscribe(t, origin, '/a')
  await client.count(1)
  await app.topics.reauthorize()
  script.give('t2').end()
  await client.ended()
  t.same(client.data, tokens(1, 2), 'also when rights change')
  t.same(asked, [])
})

await t.test('in NDJSON and in text it is the same stream, for each from where it was', async (t) => {
  const server = await stage(t)
  const { origin, script } = server
  const events = await open(t, server)
  const lines = await subscribe(t, origin, '/a', { headers: { accept: 'application/x-ndjson' } })
  script.give('t1', { n: 2 }, event({ event: 'mark', data: 't3' }))
  await events.count(3)
  const text = await subscribe(t, origin, '/a', { headers: { accept: 'text/plain' } })
  const [, first] = idsOf(server, 1)
  const rest = await subscribe(t, origin, '/a', { headers: { accept: 'application/x-ndjson' }, lastEventId: first })
  script.end()
  t.match(lines.headers['content-type'], 'application/x-ndjson')
  t.match(text.headers['content-type'], 'text/plain')
  const [epoch] = String(first).split(':')
  const all = [{ id: `${epoch}:1`, data: 't1' }, { id: `${epoch}:2`, data: { n: 2 } }, { event: 'mark', id: `${epoch}:3`, data: 't3' }]
  t.same((await bodyOf(lines)).trim().split('\n').map((line) => JSON.parse(line)), all)
  t.same((await bodyOf(rest)).trim().split('\n').map((line) => JSON.parse(line)), all.slice(1))
  t.equal(await bodyOf(text), 't1{"n":2}\nt3')
  t.equal(script.runs.length, 1)
})

await t.test('a client that accepts no stream is refused, and nothing runs', async (t) => {
  const { origin, script, noise } = await stage(t)
  for (const accept of ['application/json', 'image/png']) {
    const response = await fetch(`${origin}/a`, { headers: { accept } })
    t.equal(response.status, 406, accept)
    t.match(await response.json(), { code: 'PST_ERR_NOT_ACCEPTABLE' })
  }
  t.equal((await fetch(`${origin}/a`, { method: 'HEAD' })).status, 200)
  t.equal(script.runs.length, 0)
  t.same(noise(), [])
})

await t.test('over HTTP/2, with and without TLS', async (t) => {
  for (const tls of [false, true]) {
    const server = await stage(t, {}, { http2: true, tls })
    const { origin, script } = server
    script.give('t1', 't2')
    const first = await subscribe(t, origin, '/a', { protocol: 'http2' })
    await first.count(2)
    const [, one, two, three] = idsOf(server, 3)
    const second = await subscribe(t, origin, '/a', { protocol: 'http2', lastEventId: one })
    script.give('t3').end()
    await Promise.all([first.ended(), second.ended()])
    t.same([first.data, second.data], [tokens(1, 3), tokens(2, 3)])
    t.match(two, /:2$/)
    t.equal((await subscribe(t, origin, '/a', { protocol: 'http2', lastEventId: three })).status, 204)
    t.equal(script.runs.length, 1)
  }
})

await t.test('by POST, with a key from the body', async (t) => {
  const script = new Script().give('t1').end()
  const { origin } = await start(t, (app) => {
    app.stream<{ Body: { id: string } }>('/', {
      method: 'POST',
      schema: { body: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } } },
      resumable: ({ body }) => body.id
    }, script.handler)
  })
  const post = (body: object) => fetch(origin, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  t.equal((await post({})).status, 400)
  t.match(await (await post({ id: 'a' })).text(), /data: t1\n\n$/)
  t.match(await (await post({ id: 'a' })).text(), /data: t1\n\n$/)
  t.same(script.runs.map(({ key }) => key), ['a'])
})

await t.test('of those who ask at once, one starts it, also where the log takes its time', async (t) => {
  const { app, origin, script } = await stage(t, {}, { pastelli: { log: slowToRead() } })
  script.give('t1', 't2').end()
  const clients = await Promise.all(Array.from({ length: 12 }, async (_, i) => {
    await new Promise((resolve) => { setTimeout(resolve, i * 2) })
    return await subscribe(t, origin, '/a')
  }))
  for (const client of clients) {
    await client.ended()
    t.same(client.data, tokens(1, 2))
  }
  t.equal(script.runs.length, 1)
  await until(() => app.connections.size === 0)
})

await t.test('the events of a schema are serialised by it, and no others are produced', async (t) => {
  const token = { type: 'object', properties: { text: { type: 'string' } } }
  const { origin, lines } = await start(t, (app) => {
    app.stream('/:id', { resumable: byId, schema: { events: { token, message: { type: 'string' } } } }, async function * (request) {
      yield event({ event: 'token', data: { text: 't1', secret: 'left out' } })
      yield 't2'
      if (byId(request) === 'undeclared') yield event({ event: 'tock', data: {} }) as never
    })
  })
  const good = await subscribe(t, origin, '/a')
  await good.ended()
  t.same(good.events.map(({ event, data }) => [event, data]), [['token', '{"text":"t1"}'], ['message', 't2']])
  const bad = await subscribe(t, origin, '/undeclared')
  await bad.ended()
  t.same(bad.events.map(({ event }) => event), ['token', 'message', 'error'])
  t.match(lines('the source of a resumable stream failed').map(({ err }: LogLine) => err?.code), ['PST_ERR_EVENT'])
})

/** A client of a stream that has given nothing yet. */
async function open (t: Parameters<typeof start>[0], { origin, script }: Stage): Promise<Subscriber> {
  script.give(event({ comment: 'it opens the stream' }))
  return await subscribe(t, origin, '/a')
}

/** A log like one behind a network: it takes its time to answer what it has. */
function slowToRead (): Log {
  const log = memoryLog()
  return {
    get epoch () { return log.epoch },
    get head () { return log.head },
    follow: (listener) => log.follow(listener),
    append: (draft) => log.append(draft),
    read: async (topics, after, limit) => {
      const batch = log.read([...topics], after, limit)
      await new Promise((resolve) => { setTimeout(resolve, 10) })
      return batch
    },
    isTrimmed: (topics, after) => log.isTrimmed(topics, after),
    earliest: (topics) => log.earliest(topics)
  }
}
