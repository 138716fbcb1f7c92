/** `openStream` by port: what it asks of the app. By inject it asks nothing. */
import { join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import pastelli from '../../index.ts'
import { openStream } from '../../testing/index.ts'
import { build, CERTIFICATE, start } from '../support/server.ts'

t.test('an app that does not listen is told to, and can be asked by inject', async (t) => {
  const { app } = await build(t, (app) => { app.stream('/live', (_request, reply) => { reply.event('a') }) })
  await t.rejects(openStream(app, { url: '/live', via: 'port' }), { message: 'openStream by port needs an app that listens: await app.listen() before it' })
  const stream = await openStream(app, { url: '/live' })
  t.match(await stream.next(), { data: 'a' })
  stream.close()
})

t.test('an app of TLS with a certificate of its own', async (t) => {
  const { app } = await start(t, (app) => { app.stream('/live', (_request, reply) => { reply.event('a') }) }, { tls: true })
  const stream = await openStream(app, { url: '/live', via: 'port' })
  t.match(await stream.next(), { data: 'a' })
  const [connection] = app.connections
  stream.close()
  t.equal(await connection?.closed, 'client')
})

t.test('an app of HTTP/2 is asked by port where it allows HTTP/1, and by inject always', async (t) => {
  const setup = (app: Awaited<ReturnType<typeof build>>['app']) => { app.stream('/live', (_request, reply) => { reply.event('a') }) }
  const { app: only2 } = await start(t, setup, { http2: true, tls: true })
  await t.rejects(openStream(only2, { url: '/live', via: 'port' }), { message: /^openStream by port speaks HTTP\/1.1, and this app only HTTP\/2/ })
  const { app: plain } = await start(t, setup, { http2: true })
  await t.rejects(openStream(plain, { url: '/live', via: 'port' }), { message: /^openStream by port speaks HTTP\/1.1/ })
  const { app: both } = await start(t, setup, { http2: true, tls: true, allowHTTP1: true })
  const streams = [
    await openStream(only2, { url: '/live' }), await openStream(plain, { url: '/live' }), await openStream(both, { url: '/live', via: 'port' })
  ]
  for (const stream of streams) {
    t.match(await stream.next(), { data: 'a' })
    stream.close()
  }
})

t.test('an app on a Unix socket', { skip: process.platform === 'win32' }, async (t) => {
  const { app } = await build(t, (app) => { app.stream('/live', (_request, reply) => { reply.event('a') }) })
  await app.listen({ path: join(t.testdir(), 'app.sock') })
  const stream = await openStream(app, { url: '/live', via: 'port' })
  t.match(await stream.next(), { data: 'a' })
  stream.close()
})

t.test('an app that has stopped listening is refused by name', async (t) => {
  const { app, port } = await start(t, (app) => { app.stream('/live', () => {}) })
  app.server.close()
  await t.rejects(openStream(app, { url: '/live', via: 'port' }), { message: /needs an app that listens/ }, String(port))
})

t.test('apps of every kind fit its type', async (t) => {
  const https = fastify({ https: CERTIFICATE })
  const http2 = fastify({ http2: true, https: CERTIFICATE })
  for (const app of [https, http2] as const) t.teardown(() => app.close())
  await https.register(pastelli)
  await http2.register(pastelli)
  https.stream('/live', (_request, reply) => { reply.event('a') })
  http2.stream('/live', (_request, reply) => { reply.event('a') })
  for (const stream of [await openStream(https, { url: '/live' }), await openStream(http2, { url: '/live' })]) {
    t.match(await stream.next(), { data: 'a' })
    stream.close()
  }
})
