/** `terminator`: event streams get it when what feeds them has come to its end, and only then. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import type { StreamOptions } from '../../index.ts'
import { start } from '../support/server.ts'
import { subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const DONE = { terminator: '[DONE]' }

async function whole (t: Test, origin: string, path = '/', options: Parameters<typeof subscribe>[3] = {}): Promise<Subscriber> {
  const client = await subscribe(t, origin, path, options)
  await client.ended()
  return client
}

t.test('it follows the last item, whatever the kind of source, and the stream ends properly', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.stream('/sync', DONE, () => ['a', 'b'])
    app.stream('/async', DONE, async function * () {
      yield 'a'
      yield 'b'
    })
    app.stream('/bytes', DONE, () => [Buffer.from('data: a\n\n'), Buffer.from('data: b\n\n')])
    app.stream('/piped', DONE, (_request, reply) => { void reply.connection.pipe(['a', 'b']) })
    app.stream('/empty', DONE, () => [])
  })
  for (const path of ['/sync', '/async', '/bytes', '/piped']) t.equal((await whole(t, origin, path)).text, 'data: a\n\ndata: b\n\ndata: [DONE]\n\n', path)
  t.equal((await whole(t, origin, '/empty')).text, 'data: [DONE]\n\n')
  t.equal(app.connections.counts.server, 5)
})

t.test('it may be set for all, for one, and for none', async (t) => {
  const { origin } = await start(t, (app) => {
    app.stream('/', () => ['a'])
    app.stream('/own', { terminator: 'the\nend' }, () => ['a'])
    app.stream('/none', { terminator: null }, () => ['a'])
    app.get('/plain', async (_request, reply) => {
      reply.type('text/event-stream')
      await reply.connection.pipe(['a'])
    })
  }, { pastelli: DONE })
  for (const path of ['/', '/plain']) t.equal((await whole(t, origin, path)).text, 'data: a\n\ndata: [DONE]\n\n', path)
  t.equal((await whole(t, origin, '/own')).text, 'data: a\n\ndata: the\ndata: end\n\n')
  t.equal((await whole(t, origin, '/none')).text, 'data: a\n\n')
})

t.test('it is not sent where the end is another one', async (t) => {
  const endings: Record<string, (reply: FastifyReply, app: FastifyInstance) => void> = {
    server: (reply) => { reply.closeChunk() },
    expired: (reply) => { reply.connection.expire(0) },
    shutdown: (_reply, app) => { void app.close() },
    error: () => { throw new Error('broken') }
  }
  for (const [reason, end] of Object.entries(endings)) {
    const { app, origin } = await start(t, (app) => {
      app.stream('/', DONE, async function * (_request, reply) {
        const { signal } = reply.connection
        yield 'a'
        end(reply, app)
        while (!signal.aborted) await new Promise(setImmediate)
      })
      app.stream('/fed-by-nothing', DONE, (_request, reply) => {
        reply.event('a')
        reply.closeChunk()
      })
      app.stream('/goes-on', DONE, async (_request, reply) => {
        await reply.connection.pipe(['a'], { end: false })
        reply.event('b')
        reply.closeChunk()
      })
    })
    t.equal((await whole(t, origin, '/fed-by-nothing')).text, 'data: a\n\n')
    t.equal((await whole(t, origin, '/goes-on')).text, 'data: a\n\ndata: b\n\n')
    const client = await whole(t, origin)
    await until(() => app.connections.size === 0)
    t.equal(client.data[0], 'a')
    t.notMatch(client.text, 'DONE', reason)
    t.ok(app.connections.counts[reason as 'server'] >= 1, reason)
  }
})

t.test('other formats have none, and no stream has it in the middle of an event', async (t) => {
  const options: StreamOptions = { ...DONE, resumable: ({ url }) => url }
  const { origin } = await start(t, (app) => {
    app.stream('/', DONE, () => ['a', 'b'])
    app.stream('/resumable', options, () => ['a', 'b'])
    app.stream('/half', DONE, () => [Buffer.from('data: half')])
  })
  for (const path of ['/', '/resumable']) {
    t.notMatch((await whole(t, origin, path, { headers: { accept: 'application/x-ndjson' } })).text, 'DONE')
    t.equal((await whole(t, origin, path, { headers: { accept: 'text/plain' } })).text, 'ab')
  }
  t.same(await (await fetch(origin, { headers: { accept: 'application/json' } })).json(), ['a', 'b'])
  t.equal((await whole(t, origin, '/half')).text, 'data: half')
})

t.test('of a resumable stream everybody gets it once, also who comes back for it', async (t) => {
  const { origin } = await start(t, (app) => { app.stream('/', { ...DONE, resumable: () => 'key' }, () => ['a', 'b']) })
  const first = await whole(t, origin)
  t.same(first.data, ['a', 'b', '[DONE]'])
  t.same((await whole(t, origin)).data, ['a', 'b', '[DONE]'])
  t.same((await whole(t, origin, '/', { lastEventId: first.ids[1] })).data, ['[DONE]'])
  t.equal((await subscribe(t, origin, '/', { lastEventId: first.ids[2] })).status, 204)
})

t.test('of one that fails nobody does', async (t) => {
  const { origin } = await start(t, (app) => {
    app.stream('/', { ...DONE, resumable: () => 'key' }, async function * () {
      yield 'a'
      throw new Error('broken')
    })
  })
  for (const time of ['live', 'later']) t.same((await whole(t, origin)).events.map(({ event, data }) => [event, data]), [['message', 'a'], ['error', '{"message":"Internal Server Error"}']], time)
})
