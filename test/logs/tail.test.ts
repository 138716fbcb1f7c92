/** The connection on which a node hears, where the engine does not answer. */
import t from 'tap'
import { Tail, type Listener } from '../../logs/tail.ts'

interface Own { close: () => void }

const QUIET = {
  look: async () => null,
  found: () => {},
  hear: async () => await new Promise<never>(() => {}),
  heard: () => false,
  failed: () => {},
  recovered: () => {}
} satisfies Partial<Listener<Own, null, never>>

await t.test('who stops does not wait for a connection that does not come, and one that comes all the same is closed', async (t) => {
  let [isTold, isClosed] = [false, false]
  let come = () => {}
  const coming = new Promise<void>((resolve) => { come = resolve })
  const tail = new Tail<Own, null, never>({
    ...QUIET,
    open: async (signal) => {
      signal.addEventListener('abort', () => { isTold = true })
      await coming
      return { close: () => { isClosed = true } }
    }
  })
  await tail.stop()
  t.same([isTold, isClosed], [true, false])
  come()
  await new Promise(setImmediate)
  t.equal(isClosed, true)
})

await t.test('who stops does not wait for an answer either', async (t) => {
  let isClosed = false
  let asked = () => {}
  const isAsked = new Promise<void>((resolve) => { asked = resolve })
  const tail = new Tail<Own, null, never>({
    ...QUIET,
    open: async () => ({ close: () => { isClosed = true } }),
    look: async () => {
      asked()
      return await new Promise<never>(() => {})
    }
  })
  await isAsked
  await tail.stop()
  t.equal(isClosed, true)
})
