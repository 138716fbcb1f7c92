/** What the app listens for on `reply.raw` and on the payload, it hears: a take-over takes no listener of the app's. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { EventEmitter } from 'node:events'
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const HOOKS = ['onRequest', 'preHandler', 'onSend'] as const

// Each hook and the handler listen on the response; an onSend hook ahead of them does something with the payload.
async function serve (t: Parameters<typeof start>[0], touchPayload: (payload: EventEmitter) => void) {
  const heard: string[] = []
  const listen = (who: string, { raw }: FastifyReply) => {
    const listener = () => { heard.push(`${who} close`) }
    if (who === 'onSend') raw.prependListener('close', listener)
    else raw.on('close', listener)
    raw.once('finish', () => { heard.push(`${who} finish`) })
  }
  const server = await start(t, (app: FastifyInstance) => {
    app.addHook('onSend', (_request, _reply, payload, done) => {
      touchPayload(payload as EventEmitter)
      done()
    })
    for (const hook of HOOKS) app.addHook(hook as 'onRequest', async (_request, reply) => { listen(hook, reply) })
    app.stream('/', (_request, reply) => { listen('handler', reply) })
  })
  return { ...server, heard }
}

for (const [title, touchPayload] of Object.entries({
  'nobody touches the payload': () => {},
  'a hook listens on the payload': (payload: EventEmitter) => { payload.on('error', () => {}) },
  'a hook listens on the payload for a while': (payload: EventEmitter) => {
    const listener = () => {}
    payload.once('close', listener).on('end', listener).removeListener('close', listener)
  }
})) {
  t.test(`when ${title}`, async (t) => {
    t.test('a stream that the server ends is heard by all', async (t) => {
      const { app, port, heard, noise } = await serve(t, touchPayload)
      const client = (await connect(t, port)).get('/')
      await client.head()
      for (const connection of app.connections) connection.close()
      await client.answer()
      const everyone = [...HOOKS, 'handler'].flatMap((who) => [`${who} close`, `${who} finish`])
      await until(() => heard.length >= everyone.length, 'all have heard')
      t.same([...heard].sort(), everyone.sort())
      t.same(noise(), [])
    })

    t.test('a stream that the client leaves is heard by all', async (t) => {
      const { port, heard, noise } = await serve(t, touchPayload)
      const client = (await connect(t, port)).get('/')
      await client.head()
      client.leave()
      const everyone = [...HOOKS, 'handler'].map((who) => `${who} close`)
      await until(() => heard.length >= everyone.length, 'all have heard')
      t.same([...heard].sort(), everyone.sort())
      t.same(noise(), [])
    })
  })
}
