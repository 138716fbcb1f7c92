/**
 * A week: seven days of clients that come, stall, vanish and come back, of what is published, and of restarts. By default it has as many steps as CI has time for;
 * PASTELLI_SIMULATION=week plays it in a quarter of an hour, with sixty clients and some 770,000 steps. PASTELLI_FUZZ_SEED: which week.
 */
import fc from 'fast-check'
import t from 'tap'
import { commands, finish } from './commands.ts'
import { Model, type Settings } from './model.ts'
import { World } from './world.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? 87)
const IS_LONG = process.env.PASTELLI_SIMULATION === 'week'

const HOUR = 3_600_000
const DAY = 24 * HOUR

// So long a pause between two steps at most: mostly minutes, and now and then an hour or two.
const PACE = IS_LONG ? [1_000, 1_000, 5_000, 15_000] : [10_000, 60_000, 600_000, 2 * HOUR]

const settings: Settings = {
  retention: { events: 1_000, bytes: 4 * 1024 * 1024, age: 5 * 60_000 },
  heartbeat: IS_LONG ? 15_000 : 60_000,
  heartbeatEvent: null,
  maxAge: HOUR,
  writeTimeout: 60_000,
  maxBuffered: 1024 * 1024,
  drain: 10_000,
  coalesce: 0,
  maxConnections: IS_LONG ? 50 : 10,
  maxConnectionsPerKey: IS_LONG ? 20 : 4,
  capacity: 100_000,
  clients: IS_LONG ? 60 : 12,
  seed: SEED
}

t.setTimeout(IS_LONG ? 6 * HOUR : 900_000)

t.test(`after a week registry, log, cursors and clients are still as the model says, PASTELLI_FUZZ_SEED=${SEED}`, async (t) => {
  const notes = new Map<string, number>()
  const world = new World(settings, notes)
  let steps = 0
  try {
    const model = new Model(settings)
    await world.start((client, topic) => !model.may(client, [topic]))
    model.begin(world.log.epoch)
    const end = world.time.now + 7 * DAY
    for (let batch = 0; world.time.now < end; batch++) {
      for (const command of fc.sample(fc.oneof(...commands(PACE, IS_LONG ? 50 : 1)), { numRuns: 500, seed: SEED + batch })) {
        if (world.time.now >= end) break
        if (!command.check(model)) continue
        steps++
        await command.run(model, world).catch((cause: unknown) => { throw new Error(`step ${steps}, ${command.toString()}`, { cause }) })
      }
    }
    await finish(model, world)
  } finally {
    world.time.restore()
  }
  t.comment(`${steps} steps`, Object.fromEntries(notes))
  t.ok((notes.get('event') ?? 0) > 1_000, 'events were given')
  t.ok((notes.get('heartbeat') ?? 0) > 1_000, 'and heartbeats')
})
