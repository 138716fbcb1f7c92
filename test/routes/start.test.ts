/** Where the clients of a route that declares its topics start. */
import t from 'tap'
import { openStream } from '../../testing/index.ts'
import { start } from '../support/server.ts'

t.test('the handler of a route that declares its topics may start its newcomers elsewhere', async (t) => {
  const { app } = await start(t, (app) => {
    app.stream('/', { topics: ['news', 'sports'] }, (request, reply) => {
      const { after } = request.query as { after: string }
      reply.connection.subscribe(['news', 'sports'], { after })
    })
  })
  const ids = ['one', 'two', 'three'].map((text, i) => app.topics.publish(i === 1 ? 'sports' : 'news', text) as string)

  const texts = async (after: string, lastEventId?: string) => {
    const stream = await openStream(app, { url: '/', query: { after }, via: 'port', ...lastEventId !== undefined && { lastEventId } })
    t.equal(stream.status, 200)
    app.topics.publish('news', 'live')
    const found: string[] = []
    while (found.at(-1) !== 'live') found.push((await stream.next()).data)
    stream.close()
    return found
  }
  t.same(await texts('earliest'), ['one', 'two', 'three', 'live'])
  t.same(await texts(ids[0] as string), ['two', 'three', 'live'])
  t.same(await texts('earliest', ids[1]), ['three', 'live'], 'who comes back starts where they were')
})

t.test('but not while it is subscribed to something else, which stays where it is', async (t) => {
  const { app } = await start(t, (app) => {
    app.stream('/', { topics: 'news' }, (_request, reply) => { reply.connection.subscribe('sports', { after: 'earliest' }) })
  })
  app.topics.publish('sports', 'one')
  app.topics.publish('news', 'two')
  const stream = await openStream(app, { url: '/', via: 'port' })
  t.equal(stream.status, 500)
  await stream.ended
  t.equal(JSON.parse(stream.text).code, 'PST_ERR_POSITION')
})
