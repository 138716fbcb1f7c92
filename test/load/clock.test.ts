/** The system clock jumps. */
import t from 'tap'
import { ENGINES } from '../support/chaos.ts'
import { passes, WITHOUT_LINUX } from '../support/verdict.ts'

t.jobs = 2

for (const [log, without] of [['memory', false], ENGINES[0]] as const) {
  void t.test(`a system clock that jumps a day ahead and a day back ends no stream, delays no heartbeat, and loses nothing: ${log}`, { skip: without || WITHOUT_LINUX, buffered: true }, async (t) => {
    await passes(t, 'load/clock', { log, clients: 20, seconds: 2, heartbeat: 800, age: 1_200 })
  })
}
