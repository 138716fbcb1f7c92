/** Plain async routes: a handler that streams and settles with `undefined` is not answered a second time. */
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const soon = async () => { await new Promise(setImmediate) }

const HANDLERS: Record<string, (reply: FastifyReply) => Promise<void>> = {
  'settles in the tick of the send': async (reply) => { reply.event('first') },
  'settles some microtasks after the send': async (reply) => {
    reply.event('first')
    for (let i = 0; i < 5; i++) await null
  },
  'settles in the tick after the send': async (reply) => {
    reply.event('first')
    await new Promise<void>((resolve) => { process.nextTick(resolve) })
  },
  'settles while async hooks may run': async (reply) => {
    reply.event('first')
    await delay(5)
  },
  'settles after the take-over': async (reply) => {
    reply.event('first')
    await until(() => reply.connection.phase === 'open')
    await soon()
  },
  'sends late and settles at once': async (reply) => {
    await soon()
    reply.event('first')
  },
  'gives only an initial chunk': async (reply) => { reply.initChunk('first') },
  'gives only an initial chunk, late': async (reply) => {
    await soon()
    reply.initChunk('first')
  },
  'starts with sendChunked': async (reply) => {
    reply.type('text/event-stream').sendChunked()
    await soon()
    reply.event('first')
  }
}

const slowHook = (app: FastifyInstance) => { app.addHook('onSend', async () => { await delay(10) }) }
const quickHook = (app: FastifyInstance) => { app.addHook('onSend', async (_request, _reply, payload) => payload) }
const callbackHook = (app: FastifyInstance) => { app.addHook('onSend', (_request, _reply, payload, done) => { setImmediate(done, null, payload) }) }
const none = () => {}

const HOOKS: Array<[name: string, before: (app: FastifyInstance) => void, after: (app: FastifyInstance) => void]> = [
  ['no hooks', none, none],
  ['an async onSend hook after Pastelli\'s', none, quickHook],
  ['a slow one after it', none, slowHook],
  ['a callback hook after it', none, callbackHook],
  ['an async onSend hook ahead of it', quickHook, none],
  ['a slow one ahead of it', slowHook, none],
  ['a callback hook ahead of it', callbackHook, none],
  ['slow hooks on both sides', slowHook, slowHook]
]

for (const [name, before, after] of HOOKS) {
  t.test(`with ${name}, an async handler that`, async (t) => {
    const { app, port, noise, lines } = await start(t, (app) => {
      after(app)
      for (const [index, handler] of Object.values(HANDLERS).entries()) app.get(`/${index}`, async (_request, reply) => { await handler(reply) })
    }, { before })
    for (const [index, title] of Object.keys(HANDLERS).entries()) {
      t.test(title, async (t) => {
        const client = (await connect(t, port)).get(`/${index}`)
        await client.until('data: first\n\n')
        const connection = [...app.connections].at(-1)
        await delay(25)   // so long that a second answer would be there
        connection?.event('last')
        connection?.close()
        const { body, rest, status } = await client.answer()
        t.equal(status, 200)
        t.match(body.toString(), /^(:\n\n)?data: first\n\ndata: last\n\n$/)
        t.equal(rest.length, 0, 'nothing follows the end')
        t.equal(await connection?.closed, 'server')
        t.same(noise(), [], 'nothing to complain about in the log')
        await until(() => lines('request completed').length === index + 1, 'Fastify is done with it, once')
      })
    }
  })
}

t.test('a plain async route that never streams is answered as ever', async (t) => {
  const { app, port, noise } = await start(t, (app) => {
    app.get('/nothing', async () => {})
    app.get('/asked', async (_request, reply) => { reply.connection.name = 'asked' })
    app.get('/sent', async (_request, reply) => { await reply.send('text') })
    app.get('/returned', async () => ({ a: 1 }))
  })
  const expected = { nothing: '', asked: '', sent: 'text', returned: '{"a":1}' }
  for (const [path, body] of Object.entries(expected)) {
    const response = await (await connect(t, port)).get(`/${path}`).answer()
    t.same([response.status, response.body.toString()], [200, body], path)
  }
  t.same([app.connections.size, app.connections.counts.server], [0, 0], 'and the registry knows of none')
  t.same(noise(), [])
})
