/** A server that is held up for seconds: nobody is cut because it slept, and nobody misses anything. */
import t from 'tap'
import { passes, WITHOUT_LINUX } from '../support/verdict.ts'

void t.test('while the event loop is held up no stream is lost, and afterwards nothing is missing, comes twice or in a burst', { skip: WITHOUT_LINUX }, async (t) => {
  await passes(t, 'load/blocked', { connections: 100, rounds: 1 })
})
