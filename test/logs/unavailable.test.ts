/** What apps are told of an engine that fails. */
import t from 'tap'
import { inTime, unavailable } from '../../logs/unavailable.ts'

await t.test('it is said why the log is not available, also where the error itself has no words', async (t) => {
  const [one, other] = [new Error('connect ECONNREFUSED ::1:6379'), new Error('connect ECONNREFUSED 127.0.0.1:6379')]
  const message = (err: unknown) => unavailable(err).message
  t.equal(message(one), 'The log is not available: connect ECONNREFUSED ::1:6379')
  t.equal(message(new AggregateError([one, other])), 'The log is not available: connect ECONNREFUSED ::1:6379, connect ECONNREFUSED 127.0.0.1:6379')
  t.equal(message(new AggregateError([one], 'All promises were rejected')), 'The log is not available: All promises were rejected: connect ECONNREFUSED ::1:6379')
  t.equal(message(new (class TimeoutError extends Error {})()), 'The log is not available: TimeoutError')
  t.equal(message('closed'), 'The log is not available: closed')
  const told = unavailable(one)
  t.equal(told.cause, one)
  t.equal(unavailable(told), told, 'once')
})

await t.test('nobody gives up early, though timers count in whole milliseconds', async (t) => {
  let shortest = Infinity
  const waitAgainAndAgain = async (_: unknown, i: number) => {
    for (let times = 0; times < 50; times++) {
      const began = performance.now()
      await inTime(new Promise(() => {}), 3 + i % 5).catch(() => {})
      shortest = Math.min(shortest, performance.now() - began - i % 5)
    }
  }
  await Promise.all(Array.from({ length: 20 }, waitAgainAndAgain))
  t.ok(shortest >= 3, `${shortest} ms`)
})
