/** Half surrogate pairs in chunks, as they come from text that was cut by length: UTF-8 can't carry them, and frames must survive them. */
import { once } from 'node:events'
import t from 'tap'
import { request } from 'undici'
import type { Connection } from '../../index.ts'
import { start } from '../support/server.ts'

t.test('the halves of a surrogate pair in two chunks of one tick are framed with the size they have', async (t) => {
  const { app, origin } = await start(t, (app) => {
    app.get('/', (_request, reply) => {
      reply.sendChunked()
      reply.chunk('a\ud83c')
      reply.chunk('\udfa8b')
      reply.closeChunk()
    })
  })
  const closed = once(app.connections, 'close') as Promise<[Connection]>
  const { body } = await request(origin)
  const received = Buffer.from(await body.arrayBuffer())
  t.same(received, Buffer.concat([Buffer.from('a\ud83c'), Buffer.from('\udfa8b')]), 'each chunk is UTF-8 by itself')
  const [{ bytes }] = await closed
  t.equal(bytes, received.length, 'and counted so')
})
