/** What a verb answers, true or false, is no answer to the client: a handler may return it. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'

const soon = async () => { await new Promise(setImmediate) }

const HANDLERS: Record<string, (reply: FastifyReply) => unknown> = {
  'reply.event': (reply) => reply.event('x'),
  'reply.event, async': async (reply) => await reply.event('x'),
  'reply.event, later': async (reply) => {
    await soon()
    return await reply.event('x')
  },
  'reply.chunk': (reply) => reply.type('text/event-stream').chunk('data: x\n\n'),
  'connection.comment': ({ connection }) => {
    void connection.event('x')
    return connection.comment('y')
  },
  'connection.pipe': ({ connection }) => connection.pipe(['x']),
  'connection.pipe of what takes its time': ({ connection }) => connection.pipe((async function * () {
    yield 'x'
    await soon()
  })()),
  'connection.pipe, later': async ({ connection }) => {
    await soon()
    return await connection.pipe(['x'])
  }
}

const routes = (app: FastifyInstance) => {
  for (const [index, handler] of Object.values(HANDLERS).entries()) {
    app.stream(`/stream/${index}`, (_request, reply) => handler(reply))
    app.get(`/plain/${index}`, (_request, reply) => handler(reply))
  }
  app.stream('/true', () => true)
  app.stream('/false', async () => false)
}

for (const isSlow of [false, true]) {
  t.test(isSlow ? 'behind a slow onSend hook' : 'at once', async (t) => {
    const { app, port, noise } = await start(t, (app) => {
      if (isSlow) app.addHook('onSend', soon)
      routes(app)
    })
    for (const kind of ['stream', 'plain']) {
      for (const [index, title] of Object.keys(HANDLERS).entries()) {
        const client = (await connect(t, port)).get(`/${kind}/${index}`)
        await client.until('data: x\n\n')
        t.equal(client.response.status, 200, `${title} in a ${kind} route`)
        t.match(client.response.headers, { 'content-type': /^text\/event-stream/ })
        client.leave()
      }
    }
    t.equal((await app.inject('/true')).body, 'true', 'where nothing was sent it is one')
    t.equal((await app.inject('/false')).body, 'false')
    t.same(noise(), [])
  })
}
