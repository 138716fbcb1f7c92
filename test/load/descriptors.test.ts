/** More clients than the server has descriptors for. */
import t from 'tap'
import { passes, WITHOUT_LINUX } from '../support/verdict.ts'

void t.test('a server without descriptors goes on for those who are in, quietly, and takes the others once there is room', { skip: WITHOUT_LINUX }, async (t) => {
  await passes(t, 'load/descriptors', { limit: 128, within: 60, more: 90, seconds: 1 })
})
