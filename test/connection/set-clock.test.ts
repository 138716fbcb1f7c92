/** A system clock that was set while the process ran. */
import t from 'tap'
import { setClock } from '../support/clock.ts'
import { startInspected } from '../support/inspected.ts'
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

  await t.test(`a connection was opened when the clock said so then, and is as old as it is, though that was set ${how}`, async (t) => {
    const { app, origin, get } = await startInspected(t, (app) => { app.stream('/', { topics: 'a' }) })
    await subscribe(t, origin, '/')
    setClock(t, ahead)
    await subscribe(t, origin, '/')
    const [, late] = [...app.connections]
    const now = Date.now()
    t.ok(Math.abs(now - (late?.openedAt ?? 0)) < 60_000, `${late?.openedAt} is about ${now}`)
    const { rows } = await get('/connections')
    for (const { age } of rows as Array<{ age: number }>) t.ok(age >= 0 && age < 60_000, `${age} ms`)
  })
}
