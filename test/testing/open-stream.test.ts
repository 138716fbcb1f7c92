/** `openStream`, by inject and by port: what a user's test gets to see of a stream, and what the request says. */
import t from 'tap'
import { openStream, type OpenOptions } from '../../testing/index.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'

for (const via of ['inject', 'port'] as const) {
  t.test(`by ${via}`, async (t) => {
    t.test('a finite stream gives its events in order and then ends completely', async (t) => {
      const { app } = await start(t, (app) => {
        app.stream('/finite', (_request, reply) => {
          reply.event('first')
          reply.event({ n: 2 }, { event: 'second', id: 2, retry: 3000 })
          reply.event('two\nlines')
          reply.closeChunk()
        })
      })
      const stream = await openStream(app, { url: '/finite', via })
      t.equal(stream.status, 200)
      t.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8')
      const events = []
      for await (const event of stream) events.push(event)
      t.strictSame(events, [
        { event: 'message', data: 'first', id: undefined },
        { event: 'second', data: '{"n":2}', id: '2', retry: 3000 },
        { event: 'message', data: 'two\nlines', id: undefined }
      ])
      t.equal(await stream.ended, 'complete')
      t.equal(stream.text, 'data: first\n\nevent: second\nid: 2\nretry: 3000\ndata: {"n":2}\n\ndata: two\ndata: lines\n\n')
      t.same(stream.bytes, Buffer.from(stream.text))
      await t.rejects(stream.next(), { message: /^the stream ended before the next event; received so far: "data: first/ })
    })

    t.test('a live stream gives each event as it comes, and each comment', async (t) => {
      const { app } = await start(t, (app) => { app.stream('/live', () => {}) }, { pastelli: { retry: 4000 } })
      const stream = await openStream(app, { url: '/live', via })
      const [connection] = app.connections
      const next = stream.next()
      const nextButOne = stream.next()
      connection?.event('héllo')
      t.strictSame(await next, { event: 'message', data: 'héllo', id: undefined, retry: 4000 })
      connection?.comment('a remark')
      connection?.event('world')
      t.match(await nextButOne, { data: 'world' })
      t.same(stream.comments, ['a remark'])
      stream.close()
    })

    t.test('an event that arrives in pieces is one event', async (t) => {
      const { app } = await start(t, (app) => { app.stream('/live', () => {}) })
      const stream = await openStream(app, { url: '/live', via })
      const [connection] = app.connections
      const bytes = Buffer.from('data: é\n\n')
      connection?.chunk(bytes.subarray(0, 7))
      await until(() => stream.bytes.length >= 7, 'half of the letter is here')
      connection?.chunk(bytes.subarray(7))
      t.match(await stream.next(), { data: 'é' })
      stream.close()
    })

    t.test('the request says what the options say', async (t) => {
      const { app } = await start(t, (app) => {
        app.stream('/echo', { method: ['GET', 'POST', 'PUT'] }, (request, reply) => {
          const { method, query, body = null, headers: { accept, 'x-mine': mine, 'content-type': type } } = request
          reply.event({ method, query, body, accept, mine, type, lastEventId: reply.connection.lastEventId })
          reply.closeChunk()
        })
      })
      const asked = async (options: Omit<OpenOptions, 'via'>) => JSON.parse((await (await openStream(app, { ...options, via })).next()).data)
      t.strictSame(await asked({ url: '/echo' }), { method: 'GET', query: {}, body: null, accept: 'text/event-stream', lastEventId: null })
      t.match(await asked({ url: '/echo?a=1', query: { b: 'x y' }, lastEventId: '41' }), { query: { a: '1', b: 'x y' }, lastEventId: '41' })
      t.match(await asked({ url: '/echo', query: { b: '1' }, headers: { 'X-Mine': 'yes', Accept: '*/*' } }), { query: { b: '1' }, mine: 'yes', accept: '*/*' })
      t.match(await asked({ url: '/echo', body: { a: 1 } }), { method: 'POST', body: { a: 1 }, type: 'application/json' })
      t.match(await asked({ url: '/echo', method: 'PUT', body: 'text', headers: { 'content-type': 'text/plain' } }), { method: 'PUT', body: 'text' })
      t.match(await asked({ url: '/echo', body: Buffer.from('[1]'), headers: { 'content-type': 'application/json' } }), { body: [1] })
    })

    t.test('a Last-Event-ID beyond ASCII travels as a browser sends it, and an empty one not at all', async (t) => {
      const { app } = await start(t, (app) => {
        app.stream('/id', (_request, reply) => { reply.event({ id: reply.connection.lastEventId }) })
      })
      const seen = async (lastEventId: string) => {
        const stream = await openStream(app, { url: '/id', lastEventId, via })
        const { data } = await stream.next()
        stream.close()
        return JSON.parse(data).id
      }
      t.equal(Buffer.from(await seen('é'), 'latin1').toString(), 'é')
      t.equal(await seen(''), null)
    })

    t.test('a refusal is told with its status and text', async (t) => {
      const { app } = await start(t, (app) => { app.stream('/live', () => {}) })
      const stream = await openStream(app, { url: '/nowhere', via })
      t.equal(stream.status, 404)
      await t.rejects(stream.next(), { message: /^expected an event stream, got 404, application\/json; charset=utf-8: \{.*Route GET:\/nowhere not found/ })
      t.match(JSON.parse(stream.text), { statusCode: 404 })
      await t.rejects(async () => { for await (const event of stream) t.fail(event.data) }, { message: /^expected an event stream, got 404/ })
      t.equal(await stream.ended, 'complete')
    })

    t.test('a stream that is no event stream is told at once', async (t) => {
      const { app } = await start(t, (app) => {
        app.get('/chunks', (_request, reply) => { reply.chunk('text') })
      })
      const stream = await openStream(app, { url: '/chunks', via })
      await t.rejects(stream.next(), { message: /^expected an event stream, got 200, no content type: / })
      await until(() => stream.text === 'text', 'the text can be read all the same')
      stream.close()
    })
  })
}
