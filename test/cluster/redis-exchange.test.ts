/** What nodes hear of Redis, however a client gives it, and whatever the clock of Redis does. */
import t, { type Test } from 'tap'
import { lineOf as lineTo, type Line } from '../../logs/redis/line.ts'
import { RedisExchange } from '../../logs/redis/redis-exchange.ts'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.ts'

const skip = withoutRedis()
const [ALL, OWN] = ['{x}:nodes:all', '{x}:nodes:to:me']
const TTL = 60_000
const DAY = 86_400_000

/** A line on which looks find these newest ids, and reads are answered with these; and what was read from. */
function lineOf (newest: Array<[toAll: string, toThis: string]>, reads: unknown[]): { line: Line, from: string[][] } {
  const from: string[][] = []
  const line: Line = {
    send: async (command, ...args) => {
      if (command !== 'XREAD') return [0, ...newest.shift() as [string, string], 'other', '7']
      from.push(args.slice(-2))
      return reads.shift()
    },
    open: async () => line,
    close: () => {}
  }
  return { line, from }
}

/** A line to this Redis, whose scripts take the time for so many ms later. */
async function lineAt (t: Test, redis: RedisServer, ahead: () => number): Promise<Line> {
  const line = lineTo(await redis.client(t, 'ioredis'), '{x}')
  const send: Line['send'] = async (command, script, ...rest) => {
    if (command === 'EVALSHA') throw new Error('NOSCRIPT')
    const now = Date.now() + ahead()
    return await line.send(command as string, String(script).replace("redis.call('TIME')", `{ ${Math.floor(now / 1_000)}, ${now % 1_000 * 1_000} }`), ...rest)
  }
  return { ...line, send }
}

await t.test('messages are heard in every form that a client gives them', async (t) => {
  const entries = (id: string, ...texts: string[]) => texts.map((text, i) => [`${id}-${i}`, ['message', text]])
  const reads = [
    [[ALL, entries('5', 'a', 'b')], [OWN, entries('6', 'c')]],
    new Map([[OWN, entries('7', 'd')]]),
    { [ALL]: entries('8', 'e') },
    [ALL, entries('9', 'f'), OWN, entries('10', 'g')],
    null
  ]
  const { line, from } = lineOf([['4-0', '']], reads)
  const exchange = new RedisExchange(line, '{x}', 'me', 1_000)
  t.same(await exchange.look(line, 0), { isKnown: false, versions: new Map([['other', 7]]) })
  const heard: string[][] = []
  while (reads.length !== 0) heard.push(await exchange.hear(line, 1))
  t.same(heard, [['a', 'b', 'c'], ['d'], ['e'], ['f', 'g'], []])
  t.same(from, [['4-0', '0-0'], ['5-1', '6-0'], ['5-1', '7-0'], ['8-0', '7-0'], ['9-0', '10-0']])
})

await t.test('each message is heard once also where the client puts a prefix before all keys', async (t) => {
  const reads = [[[`app:${ALL}`, [['5-0', ['message', 'a']]]], [`app:${OWN}`, [['6-0', ['message', 'b']]]]], null]
  const { line, from } = lineOf([['4-0', '']], reads)
  const exchange = new RedisExchange(line, '{x}', 'me', 1_000)
  await exchange.look(line, 0)
  t.same(await exchange.hear(line, 1), ['a', 'b'])
  t.same(await exchange.hear(line, 1), [])
  t.same(from, [['4-0', '0-0'], ['5-0', '6-0']])
})

await t.test('where the clock of Redis has gone back, what comes next is heard all the same', async (t) => {
  const { line, from } = lineOf([['9-5', '9-5'], ['9-5', ''], ['9-4', '8-9'], ['', '']], [null, null, null, null])
  const exchange = new RedisExchange(line, '{x}', 'me', 1_000)
  for (let i = 0; i < 4; i++) {
    await exchange.look(line, 0)
    await exchange.hear(line, 1)
  }
  t.same(from, [['9-5', '9-5'], ['9-5', '9-5'], ['0-0', '0-0'], ['0-0', '0-0']])
})

await t.test('where the clock of Redis has gone back, who has died is dead in its own time all the same', { skip }, async (t) => {
  let ahead = DAY
  const line = await lineAt(t, await startRedis(t), () => ahead)
  const one = new RedisExchange(line, '{x}', 'me', TTL)
  const seen = async () => [...(await one.look(line, 0)).versions.keys()].sort()
  await new RedisExchange(line, '{x}', 'dead', TTL).look(line, 0)
  await new RedisExchange(line, '{x}', 'slow', 10 * TTL).look(line, 0)
  for (const [time, living] of [[0, ['dead', 'slow']], [TTL / 2, ['dead', 'slow']], [TTL * 2, ['slow']], [TTL * 11, []]] as const) {
    ahead = time
    t.same(await seen(), living, `${time} ms later`)
  }
})

await t.test('while the clock of Redis is behind what was sent, messages do not heap up', { skip }, async (t) => {
  const redis = await startRedis(t)
  const line = await lineAt(t, redis, () => 0)
  await redis.cli('XADD', ALL, `${Date.now() + DAY}-0`, 'message', 'of tomorrow')
  const exchange = new RedisExchange(line, '{x}', 'me', TTL)
  const parcels = Array.from({ length: 1_000 }, () => ({ to: null, text: 'x' }))
  for (let i = 0; i < 12; i++) await exchange.post(parcels)
  const length = Number(await redis.cli('XLEN', ALL))
  t.ok(length >= 10_000 && length < 11_000, `${length} are left`)
})
