/** A system clock that was set while the process ran. */
import t from 'tap'
import { setClock } from '../support/clock.ts'
import { start } from '../support/server.ts'
import { subscribe } from '../support/subscriber.ts'
import { Witness } from '../support/witness.ts'

const DAY = 86_400_000

for (const [how, ahead] of [['ahead', DAY], ['back', -DAY]] as const) {
  await t.test(`a connection ends at the time it is told by the clock as it is now, though that was set ${how} since the start`, async (t) => {
    const { app, origin } = await start(t, (app) => {
      app.stream('/', { topics: 'a' }, (_request, { connection }) => {
        const at = Date.now() + 500
        connection.expire(at)
        t.ok(Math.abs(connection.expiresAt as number - at) <= 1)
      })
    }, { pastelli: { heartbeat: 100 } })
    setClock(t, ahead)
    const witness = new Witness(app)
    const client = await subscribe(t, origin, '/')
    const began = performance.now()
    app.topics.publish('a', 'before')
    await client.ended()
    t.ok(performance.now() - began > 100, 'not at once')
    t.same(client.data, ['before'])
    await witness.sees(t, 'expired')
  })
}
