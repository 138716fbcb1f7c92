/** Streams on which nothing happens: each is told that the server lives, and nothing grows. */
import t from 'tap'
import { passes, WITHOUT_LINUX } from '../support/verdict.ts'

void t.test('idle streams get their heartbeats, the registry has as many as the kernel, and nothing is left of them', { skip: WITHOUT_LINUX }, async (t) => {
  await passes(t, 'load/idle', { minutes: 0.05, connections: 200, heartbeat: 500 })
})
