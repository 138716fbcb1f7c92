/** What feeds a resumable stream: how long it runs, who stops it, and what becomes of its failures. */
import { once } from 'node:events'
import http from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { type Draft, event, type Log, memoryLog, type PastelliOptions, type Producer, type StreamOptions } from '../../index.ts'
import { LocalNodes } from '../../lib/cluster/local-nodes.ts'
import type { NodeWatcher } from '../../lib/cluster/nodes.ts'
import { RemoteLog } from '../support/remote-log.ts'
import { Script } from '../support/script.ts'
import { type Server, type ServerOptions, start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

// What nobody handles would end the process.
const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => { unhandled.push(reason) })

type Handler = (request: FastifyRequest, reply: unknown, producer: Producer) => unknown

const byId = (request: FastifyRequest) => (request.params as { id: string }).id
const turn = () => new Promise(setImmediate)
const FAILED = 'the source of a resumable stream failed'

/** A server with a resumable stream at `/:id`. */
async function serve (t: Test, handler: Handler, own: Partial<StreamOptions> = {}, options: ServerOptions = {}): Promise<Server> {
  return await start(t, (app) => { app.stream('/:id', { resumable: byId, ...own }, handler) }, options)
}

/** The same, fed by a script, which has one client and has given `t1`. */
async function stage (t: Test, own: Partial<StreamOptions> = {}, pastelli: PastelliOptions = {}): Promise<Server & { script: Script, client: Subscriber }> {
  const script = new Script().give('t1')
  const server = await serve(t, script.handler, own, { pastelli })
  const client = await subscribe(t, server.origin, '/a')
  await client.count(1)
  return { ...server, script, client }
}

/** An iterator that never has another item, and counts how often it is told to stop. */
function endless (first: unknown): { source: AsyncIterable<unknown>, returned: () => number } {
  let given = 0
  let returned = 0
  const iterator = {
    next: async () => given++ === 0 ? { done: false, value: first } : await new Promise<never>(() => {}),
    return: async () => {
      returned++
      return { done: true as const, value: undefined }
    }
  }
  return { source: { [Symbol.asyncIterator]: () => iterator as AsyncIterator<unknown> }, returned: () => returned }
}

t.test('left alone for abandonAfter, it is stopped, and who comes later gets what there is and the news', async (t) => {
  const { origin, script, client, noise } = await stage(t, { abandonAfter: 30 })
  const [run] = script.runs
  t.equal(run?.signal.aborted, false)
  client.leave()
  await until(() => run?.isOver)
  t.equal(run?.signal.reason, 'abandoned')
  await until(() => script.runs.length === 1 && client.isEnded)
  const late = await subscribe(t, origin, '/a')
  await late.ended()
  t.same(late.events.map(({ event, data }) => [event, data]), [['message', 't1'], ['error', '{"message":"Internal Server Error"}']])
  t.equal((await subscribe(t, origin, '/a', { lastEventId: late.lastEventId })).status, 204, 'once')
  t.equal(script.runs.length, 1)
  t.same(noise(), [], 'a client that leaves is no error')
})

t.test('its return() is called at once, though it waits for its next item', async (t) => {
  const { source, returned } = endless('t1')
  const { origin } = await serve(t, () => source, { abandonAfter: 20 })
  const client = await subscribe(t, origin, '/a')
  await client.count(1)
  t.equal(returned(), 0)
  client.leave()
  await until(() => returned() === 1)
})

t.test('a client that comes back in time keeps it running', async (t) => {
  const { origin, script, client } = await stage(t, { abandonAfter: 500 })
  const began = performance.now()
  for (let n = 2, last = client; n <= 5; n++) {
    last.leave()
    await new Promise((resolve) => { setTimeout(resolve, 200) })
    last = await subscribe(t, origin, '/a', { lastEventId: last.lastEventId })
    script.give(`t${n}`)
    await last.count(1)
    t.same(last.data, [`t${n}`])
  }
  t.ok(performance.now() - began > 500, 'longer in all than it may be alone at once')
  t.equal(script.runs[0]?.signal.aborted, false)
  t.equal(script.runs.length, 1)
})

t.test('one that leaves while others stay changes nothing', async (t) => {
  const { app, origin, script, client } = await stage(t, { abandonAfter: 20 })
  const other = await subscribe(t, origin, '/a')
  await other.count(1)
  client.leave()
  await until(() => app.connections.size === 1)
  await new Promise((resolve) => { setTimeout(resolve, 60) })
  t.equal(script.runs[0]?.signal.aborted, false)
  script.give('t2').end()
  await other.ended()
  t.same(other.data, ['t1', 't2'])
})

t.test('with 0 it runs to its end, whoever listens', async (t) => {
  const { app, origin, script, client } = await stage(t, { abandonAfter: 0 })
  client.leave()
  await until(() => app.connections.size === 0)
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  t.equal(script.runs[0]?.signal.aborted, false)
  script.give('t2').end()
  await until(() => script.runs[0]?.isOver)
  const late = await subscribe(t, origin, '/a')
  await late.ended()
  t.same(late.data, ['t1', 't2'])
  t.equal(script.runs.length, 1)
})

t.test('abandoned before its first item, it has produced nothing: the next client starts it again', async (t) => {
  const script = new Script()
  const { origin, port, noise } = await serve(t, script.handler, { abandonAfter: 20 })
  const client = (await connect(t, port)).get('/a')
  await until(() => script.runs.length === 1)
  client.leave()
  await until(() => script.runs[0]?.isOver)
  script.give('t1').end()
  const second = await subscribe(t, origin, '/a')
  await second.ended()
  t.same(second.data, ['t1'])
  t.equal(script.runs.length, 2)
  t.same(noise(), [])
})

t.test('a handler that never answers is abandoned as well, and what it answers then is told so', async (t) => {
  const { source, returned } = endless('late')
  const signals: AbortSignal[] = []
  let answer: (source: unknown) => void = () => {}
  const { origin, port, noise } = await serve(t, async (_request, _reply, { signal }) => {
    signals.push(signal)
    return signals.length === 1 ? await new Promise((resolve) => { answer = resolve }) : ['t1']
  }, { abandonAfter: 20 })
  const client = (await connect(t, port)).get('/a')
  await until(() => signals.length === 1)
  client.leave()
  await until(() => signals[0]?.aborted)
  const second = await subscribe(t, origin, '/a')
  await second.ended()
  t.same(second.data, ['t1'], 'the next client starts it again')
  answer(source)
  await until(() => returned() === 1)
  t.same(noise(), [])
})

t.test('what its `finally` throws when it is stopped is logged', async (t) => {
  const { origin, logged } = await serve(t, async function * (_request, _reply, { signal }) {
    try {
      yield 't1'
      await once(signal, 'abort')
      yield 't2'
    } finally {
      // eslint-disable-next-line no-unsafe-finally
      throw new Error('no clean end')
    }
  }, { abandonAfter: 10 })
  const client = await subscribe(t, origin, '/a')
  await client.count(1)
  client.leave()
  t.match(await logged('the source of a stream failed after the stream'), { level: 50, err: { message: 'no clean end' } })
})

t.test('what fails before the first item is a plain error for everyone who waits, and may be tried again', async (t) => {
  const script = new Script()
  const { app, origin } = await serve(t, script.handler)
  const waiting = Array.from({ length: 3 }, () => fetch(`${origin}/a`))
  await until(() => [...app.connections.opening].length === 3 && script.runs.length === 1)
  script.fail(Object.assign(new Error('no model'), { statusCode: 502 }))
  for (const response of await Promise.all(waiting)) {
    t.equal(response.status, 502)
    t.match(response.headers.get('content-type'), 'application/json')
    t.match(await response.json(), { message: 'no model' })
  }
  t.equal((await fetch(`${origin}/a`)).status, 502, 'the script still fails')
  t.equal(script.runs.length, 2)
})

t.test('so is what a handler throws by itself, and what is no source', async (t) => {
  const handlers: Array<[Handler, object]> = [
    [() => { throw Object.assign(new Error('at once'), { statusCode: 418 }) }, { statusCode: 418, message: 'at once' }],
    [async () => { throw Object.assign(new Error('later'), { statusCode: 418 }) }, { statusCode: 418, message: 'later' }],
    ...[undefined, null, 'text', 7, Buffer.from('bytes'), { plain: 'object' }].map((none): [Handler, object] => [() => none, { statusCode: 500, code: 'PST_ERR_ARGUMENT' }]),
    [() => [Buffer.from('bytes')], { statusCode: 500, code: 'PST_ERR_CHUNK' }],
    [() => [event({ id: 'own', data: 't1' })], { statusCode: 500, code: 'PST_ERR_ID' }],
    [() => [undefined], { statusCode: 500, code: 'PST_ERR_DATA' }],
    [() => [event({ event: 'a\nb', data: 't1' })], { statusCode: 500, code: 'PST_ERR_FIELD' }],
    [() => [event({ retry: -1, data: 't1' })], { statusCode: 500, code: 'PST_ERR_FIELD' }]
  ]
  for (const [handler, answer] of handlers) {
    const { origin } = await serve(t, handler)
    for (const time of ['once', 'twice']) t.match(await (await fetch(`${origin}/a`)).json(), answer, time)
  }
})

t.test('what fails later is one event for everyone, an end with the reason error, and one line in the log', async (t) => {
  const { app, origin, script, client, lines, noise } = await stage(t)
  const witness = new Witness(app)
  witness.opened.push(...app.connections)
  const second = await subscribe(t, origin, '/a')
  await second.count(1)
  const third = await subscribe(t, origin, '/a', { headers: { accept: 'application/x-ndjson' } })
  script.fail(new Error('the secret of the house'))
  await Promise.all([client.ended(), second.ended(), third.ended()])
  const late = await subscribe(t, origin, '/a')
  await late.ended()
  const whole = [['message', 't1'], ['error', '{"message":"Internal Server Error"}']]
  for (const { events } of [client, second, late]) t.same(events.map(({ event, data }) => [event, data]), whole)
  t.match(third.text, /\{"event":"error","id":".*","data":\{"message":"Internal Server Error"\}\}\n$/)
  t.equal((await subscribe(t, origin, '/a', { lastEventId: client.lastEventId })).status, 204, 'who knows is told once')
  const back = await subscribe(t, origin, '/a', { lastEventId: client.ids[0] })
  await back.ended()
  t.same(back.data, ['{"message":"Internal Server Error"}'], 'who was cut before that learns of it')
  await witness.sees(t, 'error')
  t.match(lines(FAILED).map(({ err, key }) => [err?.message, key]), [['the secret of the house', 'a']])
  t.equal(noise().length, 1)
  t.equal(script.runs.length, 1)
})

t.test('a client that sees no types is cut: it must not take what it has for the whole', async (t) => {
  const { app, origin, script } = await stage(t)
  const plain = { headers: { accept: 'text/plain' } }
  const early = await subscribe(t, origin, '/a', plain)
  await until(() => app.connections.size === 2)
  const isCut = () => new Promise<boolean>((resolve) => {
    http.get(`${origin}/a`, { ...plain, agent: false }, (response) => {
      response.resume().on('error', () => {}).on('close', () => { resolve(!response.complete) })
    }).on('error', () => { resolve(true) })
  })
  const live = isCut()
  await until(() => app.connections.size === 3)
  script.fail(new Error('broken'))
  await early.ended()
  t.equal(early.text, 't1')
  t.equal(await live, true)
  t.equal(await isCut(), true, 'also one that comes later')
  await until(() => app.connections.size === 0)
  t.equal(app.connections.counts.error, 4)
})

t.test('errorData says what clients are told, and no more than by default if it fails', async (t) => {
  const hooks: Array<[PastelliOptions['errorData'], string]> = [
    [(error) => ({ message: (error as Error).message }), '{"message":"broken"}'],
    [() => 'some text', 'some text'],
    [() => { throw new Error('the hook') }, '{"message":"Internal Server Error"}'],
    [() => undefined, '{"message":"Internal Server Error"}'],
    [() => '', '']
  ]
  for (const [errorData, data] of hooks) {
    const { script, client } = await stage(t, { errorData })
    script.fail(new Error('broken'))
    await client.ended()
    t.match(client.events.at(-1), { event: 'error', data })
  }
})

t.test('one that fails before its first item, but after its clients have lost patience, tells them', async (t) => {
  const script = new Script()
  const { app, origin, logged } = await serve(t, script.handler)
  const client = await subscribe(t, origin, '/a')   // opens after 5 s
  t.equal(script.runs.length, 1)
  script.fail(new Error('broken'))
  await client.ended()
  t.same(client.events.map(({ event, data }) => [event, data]), [['error', '{"message":"Internal Server Error"}']])
  t.match(await logged('the source of a stream failed'), { level: 50, err: { message: 'broken' } })
  t.equal(app.connections.counts.error, 1)
})

t.test('a client that has left before it starts starts nothing', async (t) => {
  const script = new Script()
  let decide: (key: string) => void = () => {}
  const deciding = new Promise<string>((resolve) => { decide = resolve })
  let asked = 0
  const { app, port, noise } = await serve(t, script.handler, {
    resumable: async () => {
      asked++
      return await deciding
    }
  })
  const client = (await connect(t, port)).get('/a')
  await until(() => asked === 1)
  client.leave()
  await until(() => [...app.connections.opening].length === 0)
  decide('a')
  await turn()
  await turn()
  t.equal(script.runs.length, 0)
  t.same(noise(), [])
})

t.test('app.close() stops it; its clients are told shutdown and come back elsewhere, and of no error', async (t) => {
  const { app, script, client, noise } = await stage(t, { abandonAfter: 60_000 })
  const witness = new Witness(app)
  witness.opened.push(...app.connections)
  await app.close()
  t.equal(script.runs[0]?.signal.reason, 'shutdown')
  t.ok(script.runs[0]?.isOver)
  await client.ended()
  t.same(client.data, ['t1'])
  t.match(client.text, /\nretry: \d+\n\n$/)
  await witness.sees(t, 'shutdown')
  t.same(noise(), [])
})

t.test('so are those who wait for its first item: an error would end a browser\'s EventSource for good', async (t) => {
  const handlers: Handler[] = [
    new Script().handler,
    async () => await new Promise(() => {})
  ]
  for (const handler of handlers) {
    const { app, origin, noise } = await serve(t, handler)
    const waiting = fetch(`${origin}/a`)
    await until(() => [...app.connections.opening].length === 1)
    await turn()
    const began = performance.now()
    const [response] = await Promise.all([waiting, app.close()])
    t.equal(response.status, 200)
    t.match(await response.text(), /^retry: \d+\n\n/m)
    t.ok(performance.now() - began < 1_500, 'long before the deadline')
    t.same(noise(), [])
  }
})

t.test('one that would start when the app is closing does not', async (t) => {
  const script = new Script().give('t1')
  let decide: (key: string) => void = () => {}
  const deciding = new Promise<string>((resolve) => { decide = resolve })
  const { app, origin } = await serve(t, script.handler, { resumable: () => deciding })
  const waiting = fetch(`${origin}/a`)
  await until(() => [...app.connections.opening].length === 1)
  const closing = app.close()
  await turn()
  decide('a')
  const [response] = await Promise.all([waiting, closing])
  t.match(await response.text(), /^retry: \d+\n\n/m)
  t.equal(script.runs.length, 0)
})

t.test('events made by event() keep their parts, and comments are for nobody', async (t) => {
  const { origin } = await serve(t, () => [
    event({ event: 'a', data: { n: 1 } }), event({ event: 'b' }), event({ comment: 'not retained' }), event({ retry: 500, data: 'c', comment: 'nor this' })
  ])
  const client = await subscribe(t, origin, '/a')
  await client.ended()
  t.same(client.events.map(({ event, data }) => [event, data]), [['a', '{"n":1}'], ['b', ''], ['message', 'c']])
  t.match(client.text, 'retry: 500\n')
  t.notMatch(client.text, /retained|nor this/)
})

t.test('it may be any kind of source', async (t) => {
  const kinds: Record<string, Handler> = {
    array: () => ['t1', 't2'],
    promise: async () => ['t1', 't2'],
    readable: () => Readable.from(['t1', 't2']),
    web: () => ReadableStream.from(['t1', 't2']),
    observable: () => ({
      subscribe: ({ next, complete }: { next: (item: unknown) => void, complete: () => void }) => {
        setImmediate(() => {
          next('t1')
          next('t2')
          complete()
        })
        return () => {}
      }
    })
  }
  for (const [kind, handler] of Object.entries(kinds)) {
    const { origin } = await serve(t, handler)
    const client = await subscribe(t, origin, '/a')
    await client.ended()
    t.same(client.data, ['t1', 't2'], kind)
  }
})

t.test('one that never waits leaves the event loop to others', async (t) => {
  let given = 0
  const { app, origin } = await serve(t, function * () { for (;;) yield given++ }, { abandonAfter: 10, overflow: 'skip' }, { pastelli: { log: memoryLog({ events: 100 }) } })
  const client = await subscribe(t, origin, '/a')
  await until(() => given > 1_000)
  client.leave()
  await until(() => app.connections.size === 0)
  let before = -1
  await until(() => {
    const hasStopped = before === given
    before = given
    return hasStopped
  })
})

t.test('a log that refuses its first item fails it like a handler', async (t) => {
  const handlers: Record<string, Handler> = {
    iterable: () => ['t1', 't2'],
    observable: () => ({
      subscribe: ({ next }: { next: (item: unknown) => void }) => {
        next('t1')
        return () => {}
      }
    }),
    empty: () => []
  }
  for (const [kind, handler] of Object.entries(handlers)) {
    const { origin } = await serve(t, handler, {}, { pastelli: { log: refusing(new Error('no log')) } })
    const response = await fetch(`${origin}/a`)
    t.match([response.status, await response.json()], [500, { message: 'no log' }], kind)
  }
})

t.test('a log that loses its first item before that is heard: its clients are told, and it goes on', async (t) => {
  const log = new RemoteLog()
  const append = log.append.bind(log)
  const losing = async (draft: Draft) => {
    const id = await append(draft)
    log.lose()
    log.append = append
    return id
  }
  const script = new Script().give('t1', 't2')
  const { origin } = await serve(t, script.handler, {}, { pastelli: { log } })
  log.append = losing
  const client = await subscribe(t, origin, '/a')
  await client.until('data: t2')
  script.end()
  await client.ended()
  t.match(client.gaps, [{ reason: 'foreign' }])
  t.same(client.data, ['t2'])
})

t.test('what can not be written any more keeps the app from closing no longer than its clients may', async (t) => {
  const log = new RemoteLog()
  const { app, script, client } = await stage(t, {}, { log, drain: 300 })
  log.answer = new Promise<void>(() => {})
  script.give('t2')
  const began = performance.now()
  await app.close()
  t.ok(performance.now() - began < 1_500, 'in its time')
  await client.ended()
  t.same(client.data, ['t1'])
})

t.test('stopped while its first item is on the way to the log, it has its end behind that', async (t) => {
  const log = new RemoteLog()
  const script = new Script().give('t1')
  const { origin, port, noise } = await serve(t, script.handler, { abandonAfter: 1 }, { pastelli: { log } })
  let take = () => {}
  log.answer = new Promise<void>((resolve) => { take = resolve })
  const client = (await connect(t, port)).get('/a')
  await until(() => script.runs.length === 1)
  client.leave()
  await until(() => script.runs[0]?.isOver, 'it is abandoned')
  take()
  const late = await subscribe(t, origin, '/a')
  await late.ended()
  t.same(late.events.map(({ event, data }) => [event, data]), [['message', 't1'], ['error', '{"message":"Internal Server Error"}']])
  t.equal(script.runs.length, 1)
  t.same(noise(), [])
})

t.test('abandoned while its claim is on the way to the log, it makes room for the next one', async (t) => {
  const nodes = { isUsed: () => false, join: (watcher: NodeWatcher) => new LocalNodes().join(watcher) }
  const log = Object.assign(new RemoteLog(), { nodes })
  const append = log.append.bind(log)
  let claims = 0
  log.append = (draft) => {
    if (draft.producer) claims++
    return append(draft)
  }
  const script = new Script().give('t1').end()
  const { app, origin, port, noise } = await serve(t, script.handler, { abandonAfter: 1 }, { pastelli: { log } })
  let take = () => {}
  log.answer = new Promise<void>((resolve) => { take = resolve })
  const first = (await connect(t, port)).get('/a')
  await until(() => claims === 1)
  first.leave()
  await until(() => app.connections.size === 0)
  await delay(20)   // it has been abandoned by then, which nobody is told of
  const second = subscribe(t, origin, '/a')
  await until(() => claims === 2)
  take()
  log.answer = null
  await (await second).ended()
  t.same((await second).data, ['t1'])
  t.same([script.runs.length, claims], [1, 3])
  t.same(noise(), [])
})

t.test('nothing was left unhandled', async (t) => {
  await turn()
  t.same(unhandled, [])
})

/** A log that takes nothing, and says so later. */
function refusing (error: Error): Log {
  const log = memoryLog()
  return {
    epoch: log.epoch,
    head: 0,
    follow: (listener) => log.follow(listener),
    append: async () => { throw error },
    read: (topics, after, limit) => log.read(topics, after, limit),
    isTrimmed: (topics, after) => log.isTrimmed(topics, after),
    earliest: (topics) => log.earliest(topics)
  }
}
