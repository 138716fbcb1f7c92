/** The connection on which a node hears, where the engine does not answer. */
import t from 'tap'
import { type Listener, Tail } from '../../logs/tail.ts'
import { until } from '../support/until.ts'

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

await t.test('a connection that has died in silence is given up, told once, and made anew', async (t) => {
  const told: string[] = []
  let opened = 0
  const tail = new Tail<Own & { turn: number }, null, string>({
    open: async () => {
      const turn = ++opened
      return { turn, close: () => { told.push(`${turn} is closed`) } }
    },
    look: async () => null,
    found: () => {},
    hear: async ({ turn }) => turn < 4 ? await new Promise<never>(() => {}) : await new Promise((resolve) => { setTimeout(resolve, 20, 'news') }),
    heard: () => {
      if (told.at(-1) !== 'news') told.push('news')
      return false
    },
    failed: (err) => { told.push((err as Error).message.replace(/\d+/, 'some')) },
    recovered: () => { told.push('recovered') }
  }, 50, 30)
  t.teardown(() => tail.stop())
  await until(() => told.includes('news'), 'it hears again')
  const silent = (turn: number) => ['no answer within some ms', `${turn} is closed`, 'recovered']
  t.same(told, [...silent(1), ...silent(2), ...silent(3), 'news'])
})

await t.test('where who hears is waited for, a connection is tried again within that time, however often it has failed', async (t) => {
  let tries = 0
  const tail = new Tail<Own, null, never>({
    ...QUIET,
    open: async () => {
      tries++
      throw new Error('away')
    }
  }, 10)
  t.teardown(() => tail.stop())
  await until(() => tries === 20, 'it was tried twenty times, which takes a minute and a half otherwise')
})
