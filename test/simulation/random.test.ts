/**
 * Schedules at random: after every step the registry, the log, the cursors and what each client was given are as the model says. PASTELLI_FUZZ_SEED: which
 * schedules; PASTELLI_SIMULATION_RUNS: how many.
 */
import fc from 'fast-check'
import t from 'tap'
import { settings } from './arbitraries.ts'
import { commands, finish, QUICK } from './commands.ts'
import { Model } from './model.ts'
import { World } from './world.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? 87)
const RUNS = Number(process.env.PASTELLI_SIMULATION_RUNS ?? 200)

// With fewer runs than by default some of it may not happen.
const HAPPENS = [
  'answered 101', 'answered 200', 'answered 403', 'answered 429', 'answered 503', 'event', 'gap foreign', 'gap malformed', 'gap overflow', 'gap trimmed', 'heartbeat', 'restarted',
  'closed client', 'closed error', 'closed expired', 'closed overflow', 'closed server', 'closed shutdown', 'closed timeout'
]

t.setTimeout(900_000)

t.test(`whatever happens, registry, log, cursors and clients are as the model says, PASTELLI_FUZZ_SEED=${SEED}`, async (t) => {
  const steps = fc.commands(commands(QUICK).flatMap(({ weight, arbitrary }) => Array.from({ length: weight }, () => arbitrary)), { maxCommands: 120, size: 'max' })
  const notes = new Map<string, number>()
  await fc.assert(fc.asyncProperty(settings, steps, async (settings, steps) => {
    const world = new World(settings, notes)
    try {
      const model = new Model(settings)
      await world.start((client, topic) => !model.may(client, [topic]))
      model.begin(world.log.epoch)
      await fc.asyncModelRun(() => ({ model, real: world }), steps)
      await finish(model, world)
    } finally {
      world.time.restore()
    }
  }), { numRuns: RUNS, seed: SEED })
  t.ok((notes.get('event') ?? 0) > RUNS, 'events were given')
  t.comment(Object.fromEntries(notes))
  if (RUNS >= 200) t.same(HAPPENS.filter((what) => (notes.get(what) ?? 0) < 5), [], 'all that can happen did, many times')
})
