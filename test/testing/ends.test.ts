/** How a stream of `openStream` ends: by the server, by a cut, by leaving. */
import t from 'tap'
import { openStream } from '../../testing/index.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'

for (const via of ['inject', 'port'] as const) {
  t.test(`by ${via}`, async (t) => {
    t.test('the server ends the stream: who waits for an event is told', async (t) => {
      const { app } = await start(t, (app) => { app.stream('/live', () => {}) })
      const stream = await openStream(app, { url: '/live', via })
      const next = stream.next()
      for (const connection of app.connections) connection.close()
      await t.rejects(next, { message: 'the stream ended before the next event; received so far: ":\\n\\n"' })
      t.equal(await stream.ended, 'complete')
    })

    t.test('the server cuts the stream: that is no proper end', async (t) => {
      const { app } = await start(t, (app) => { app.stream('/live', (_request, reply) => { reply.event('a') }) })
      const stream = await openStream(app, { url: '/live', via })
      await until(() => stream.text !== '', 'the event is here')
      for (const connection of app.connections) connection.destroy()
      t.equal(await stream.ended, 'cut')
      const events: string[] = []
      await t.rejects(async () => { for await (const { data } of stream) events.push(data) }, { message: /^the stream was cut/ })
      t.same(events, ['a'], 'what came before the cut is there')
      await t.rejects(stream.next(), { message: /^the stream was cut before the next event/ })
    })

    t.test('close leaves as a client does', async (t) => {
      const { app } = await start(t, (app) => { app.stream('/live', () => {}) })
      const stream = await openStream(app, { url: '/live', via })
      const [connection] = app.connections
      const next = stream.next()
      stream.close()
      await t.rejects(next, { message: /^the stream was left before the next event/ })
      t.equal(await stream.ended, 'left')
      t.equal(await connection?.closed, 'client')
      t.same(app.connections.counts, { client: 1, server: 0, shutdown: 0, overflow: 0, expired: 0, timeout: 0, error: 0 })
      for await (const event of stream) t.fail(event.data)
    })

    t.test('breaking off the loop leaves', async (t) => {
      const { app } = await start(t, (app) => {
        app.stream('/live', (_request, reply) => { for (const data of ['a', 'b', 'c']) reply.event(data) })
      })
      const stream = await openStream(app, { url: '/live', via })
      const [connection] = app.connections
      for await (const { data } of stream) if (data === 'b') break
      t.equal(await stream.ended, 'left')
      t.equal(await connection?.closed, 'client')
    })

    t.test('the signal leaves an open stream', async (t) => {
      const { app } = await start(t, (app) => { app.stream('/live', () => {}) })
      const aborter = new AbortController()
      const stream = await openStream(app, { url: '/live', via, signal: aborter.signal })
      const [connection] = app.connections
      aborter.abort()
      t.equal(await stream.ended, 'left')
      t.equal(await connection?.closed, 'client')
      await t.rejects(openStream(app, { url: '/live', via, signal: aborter.signal }), { name: 'AbortError' }, 'and opens none')
    })

    t.test('the signal leaves before the answer', async (t) => {
      const aborter = new AbortController()
      const { app } = await start(t, (app) => {
        app.stream('/slow', async (_request, reply) => {
          setImmediate(() => { aborter.abort() })
          t.equal(await reply.connection.closed, 'client')
        })
      })
      t.plan(2)
      await t.rejects(openStream(app, { url: '/slow', via, signal: aborter.signal }), { name: 'AbortError' })
    })

    t.test('the signal leaves before the answer to a body, at the latest when the answer begins', async (t) => {
      const aborter = new AbortController()
      const { app } = await start(t, (app) => {
        app.stream('/slow', { method: 'POST' }, async (_request, { connection }) => {
          aborter.abort()
          setTimeout(() => { connection.event('begin') }, 10)
          t.equal(await connection.closed, 'client')
        })
      })
      t.plan(2)
      await t.rejects(openStream(app, { url: '/slow', via, signal: aborter.signal, body: { a: 1 } }), { name: 'AbortError' })
    })
  })
}
