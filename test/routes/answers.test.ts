/** Handlers of stream routes that answer something else instead: nothing was committed, so it is an ordinary answer. */
import { setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import t from 'tap'
import pastelli, { type CloseReason } from '../../index.ts'
import { start, type ServerOptions } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

interface Expected { status: number, body?: string, headers?: Record<string, string> }

const JSON_TYPE = 'application/json; charset=utf-8'

const ANSWERS: Record<string, [answer: (reply: FastifyReply) => unknown, expected: Expected]> = {
  'a 204, which stops an EventSource': [(reply) => reply.code(204).send(), { status: 204, body: '' }],
  'a 204 without sending': [(reply) => { reply.code(204) }, { status: 204, body: '' }],
  'a 304 without sending': [(reply) => { reply.code(304) }, { status: 304, body: '' }],
  'a 403 with JSON': [(reply) => reply.code(403).send({ error: 'no' }), { status: 403, body: '{"error":"no"}', headers: { 'content-type': JSON_TYPE } }],
  'a redirect': [(reply) => reply.redirect('/elsewhere'), { status: 302, headers: { location: '/elsewhere' } }],
  'a returned object': [() => ({ a: 1 }), { status: 200, body: '{"a":1}', headers: { 'content-type': JSON_TYPE } }],
  'a returned string': [() => 'text', { status: 200, body: 'text', headers: { 'content-type': 'text/plain; charset=utf-8' } }],
  'a returned null': [() => null, { status: 200, body: 'null' }],
  'a thrown error': [() => { throw Object.assign(new Error('too early'), { statusCode: 425 }) }, { status: 425, headers: { 'content-type': JSON_TYPE } }],
  'a returned error': [() => Object.assign(new Error('gone'), { statusCode: 410 }), { status: 410, headers: { 'content-type': JSON_TYPE } }],
  'not found': [(reply) => {
    reply.callNotFound()
    return reply
  }, { status: 404, headers: { 'content-type': JSON_TYPE } }],
  'a hijacked response': [(reply) => {
    reply.hijack()
    reply.raw.end('by hand')
  }, { status: 200, body: 'by hand' }]
}

const slow = async () => { await delay(5) }
const slowHook = (app: FastifyInstance) => app.addHook('onSend', slow)

const CASES: Array<[title: string, isAsync: boolean, options: ServerOptions]> = [
  ['a sync handler', false, {}],
  ['an async handler', true, {}],
  ['a sync handler, with a slow onSend hook ahead of Pastelli', false, { before: slowHook }],
  ['an async handler, with a slow onSend hook ahead of Pastelli', true, { before: slowHook }]
]

for (const [title, isAsync, options] of CASES) {
  t.test(`from ${title}`, async (t) => {
    for (const [title, [answer, expected]] of Object.entries(ANSWERS)) {
      t.test(title, async (t) => {
        const reasons: CloseReason[] = []
        const { app, port, lines, noise } = await start(t, (app) => {
          const watch = ({ connection }: FastifyReply) => { void connection.closed.then((reason) => { reasons.push(reason) }) }
          app.stream('/', isAsync
            ? async (_request, reply) => {
              watch(reply)
              await new Promise(setImmediate)
              return await answer(reply)
            }
            : (_request, reply) => {
                watch(reply)
                return answer(reply)
              })
        }, { ...options, pastelli: { maxConnections: 1 } })
        app.connections.on('open', () => { t.fail('no stream opened') })
        for (let times = 1; times <= 2; times++) {
          const client = (await connect(t, port)).get('/')
          const { status, headers, body, rest } = expected.body === '' ? await client.head() : await client.answer()
          t.equal(status, expected.status)
          if (expected.body !== undefined) t.equal(body.toString(), expected.body)
          t.match(headers, expected.headers ?? {})
          t.notMatch(headers['content-type'] ?? '', 'event-stream')
          t.notOk('x-accel-buffering' in headers)
          t.equal(rest.length, 0)
          await until(() => reasons.length === times, 'the connection is told')
          await client.get('/nowhere').until('Route GET:/nowhere not found')
        }
        t.same(lines('stream closed'), [], 'the registry never knew')
        t.same(noise().filter(({ err }) => err === undefined), [])
        t.same(reasons, Array(2).fill(title === 'a thrown error' ? 'error' : 'server'))
      })
    }
  })
}

t.test('from a not found handler that takes its time', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.setNotFoundHandler({ preHandler: slow }, async (_request, reply) => {
      await delay(5)
      return await reply.code(404).send('nothing here')
    })
    app.stream('/', (_request, reply) => { reply.callNotFound() })
  })
  const { status, body } = await (await connect(t, port)).get('/').answer()
  t.same([status, body.toString()], [404, 'nothing here'])
  t.equal(app.connections.size, 0)
  t.same(noise(), [])
})

t.test('an error handler may answer a stream that failed with a stream of its own', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.setErrorHandler((error: Error, _request, reply) => {
      reply.event({ failed: error.message })
      reply.closeChunk()
    })
    app.stream('/sync', () => { throw new Error('broken') })
    app.stream('/async', async () => { throw new Error('broken') })
    app.get('/plain', async (_request, reply) => {
      reply.sendChunked()
      throw new Error('broken')
    })
  })
  for (const path of ['/sync', '/async', '/plain']) {
    const client = (await connect(t, port)).get(path)
    await client.until((response) => response.complete)
    t.equal(client.response.body.toString(), 'data: {"failed":"broken"}\n\n', path)
  }
  t.equal(app.connections.counts.server, 3)
})

t.test('a route that was declared before the plugin was loaded streams, and says that nobody watches it', async (t) => {
  const app = fastify({ logger: { level: 'warn', stream: { write: (line: string) => { warnings.push(line) } } } })
  const warnings: string[] = []
  t.teardown(() => app.close())
  app.register(pastelli)
  app.get('/', (_request, reply) => {
    reply.event('hello')
    reply.closeChunk()
  })
  t.equal((await app.inject('/')).body, 'data: hello\n\n')
  t.equal(warnings.length, 1)
  t.match(warnings[0], 'await register first')
})

t.test('a stream route needs a handler', async (t) => {
  const { app } = await start(t, () => {})
  for (const rest of [[{}], [{}, 'handler'], [null, () => {}], ['options', () => {}]]) {
    t.throws(() => { Reflect.apply(app.stream, app, ['/', ...rest]) }, { code: 'PST_ERR_ARGUMENT' })
  }
})
