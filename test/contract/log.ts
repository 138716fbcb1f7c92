/**
 * The contract of a log as tests, the same for every engine. They ask for no more than it says: appends and reads may
 * answer later, offsets may leave numbers out, more may be retained than has to be.
 *
 * PASTELLI_FUZZ_SEED: which random scenarios are played.
 */
import fc from 'fast-check'
import type { Test } from 'tap'
import type { Batch, Draft } from '../../index.ts'
import { formatPosition, parsePosition } from '../../lib/topics/position.ts'
import { producedTopic } from '../../lib/topics/produced.ts'
import { until } from '../support/until.ts'
import { play, scenarios } from './readers.ts'
import { begin, draft, follow, idsOf, offsetOf, once, type Open, overrun, readFrom } from './scene.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

const FEW = 10

// Of these alone is told where they begin and end.
const PRODUCED = producedTopic('route', 'key')

// What an engine may take for something else: wildcards and separators of its own, what JavaScript's objects have.
const ODD_TOPICS = [
  '__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', 'a', 'A', 'a.b', 'a.*', 'a.>', '.', '..', '*', '>', '?', '[a]', '{a}', 'a:1', 'a/b',
  'a b', ' ', '-', '+', '#', '$', '%41', '\\', '"', "'", '\u00e4', 'a\u0308', '🎨', '\u2028', 'x'.repeat(255), 'x'.repeat(256)
]
const SEPARATORS = [':', '.', '/', ' ', '|', '-', ',', '\u00a0']

const TEXTS = [
  '', ' ', '\n', '\r', '\r\n', '\n\n', 'a\nb\r\nc\rd\n', '\0', 'a\0b', '\t', '\ufeffa', '\u2028\u2029\u0085', 'grüezi', '🎨', '\u{10ffff}', '\ufffd', 'a\u0308',
  ':', 'data: forged', 'id: 1\n\ndata: forged', 'null', '0', '"', '\\', '{}', '[object Object]', 'undefined', 'x'.repeat(200_000), 'ü'.repeat(100_000)
]
const VALUES = [null, true, 0, -1.5, 1e21, '"', [], {}, { text: 'grüezi 🎨\n' }, [1, [2, { three: null }]], JSON.parse('{ "__proto__": 1, "": "" }')]

/** @param runs how many random scenarios are played */
export function logContract (t: Test, open: Open, runs = 300): void {
  t.test('every append gets an id, epoch and offset, and offsets grow in the order of the appends', async (t) => {
    const { log } = await begin(t, open)
    t.match(log.epoch, /^[\w.-]{1,64}$/)
    t.equal(log.head, 0, 'nothing was appended')
    const ids = [await log.append(draft('a')), await log.append(draft('b'))]
    ids.push(...await Promise.all(['a', 'c', 'a', 'b', 'a'].map((topic) => log.append(draft(topic)))), await log.append(draft('a')))
    t.same(ids.map((id) => parsePosition(id)?.epoch), ids.map(() => log.epoch))
    const offsets = ids.map(offsetOf)
    t.same(offsets, [...new Set(offsets)].sort((a, b) => a - b), 'no two are the same, and none is less than one before')
    t.ok(offsets.every((offset) => offset > 0), '0 is before the first')
    t.same(ids, offsets.map((offset) => formatPosition(log.epoch, offset)), 'and there is one way to write each')
  })

  t.test('a follower hears every record once, in the order of the log', async (t) => {
    const { log, heard } = await begin(t, open)
    const topics = Array.from({ length: 200 }, (_, i) => `topic ${i % 7}`)
    const ids = await Promise.all(topics.map((topic, i) => log.append(draft(topic, String(i)))))
    await until(() => log.head >= offsetOf(ids.at(-1)), 'the last was heard')
    t.same(heard.map(({ id }) => id), ids)
    t.same(heard.map(({ topic, data }) => [topic, data]), topics.map((topic, i) => [topic, String(i)]))
    t.same(heard.map(({ id }) => id), heard.map(({ offset }) => formatPosition(log.epoch, offset)))
    t.equal(log.head, heard.at(-1)?.offset)
  })

  t.test('what it says is in memory are the newest records, and it does not have to say', async (t) => {
    const { log, heard } = await begin(t, open)
    for (const topic of ['a', 'b', 'a']) await log.append(draft(topic))
    await until(() => heard.length === 3, 'all were heard')
    const { stock } = log
    if (stock === undefined) return
    t.equal(stock.events, 3)
    t.equal(stock.bytes, heard.reduce((sum, { size }) => sum + size, 0))
    t.same([...stock.byTopic].sort(), [['a', 2], ['b', 1]])
  })

  t.test('several who follow hear every record, each until it stops', async (t) => {
    const { log } = await open({})
    const [one, other] = [follow(log), follow(log)]
    t.teardown(other.stop)
    const ids = [await one.append('a'), await other.append('b')]
    await until(() => one.heard.length === 2 && other.heard.length === 2, 'both heard both')
    await one.stop()
    ids.push(await other.append('a'))
    t.same(other.heard.map(({ id }) => id), ids)
    t.same(one.heard.map(({ id }) => id), ids.slice(0, 2), 'and nothing after that')
  })

  t.test('what a follower hears is at the head, and can be read', async (t) => {
    const { log } = await open({})
    const reads: Array<Promise<void>> = []
    const stop = log.follow(({ topic, id, offset }) => {
      t.equal(log.head, offset)
      reads.push(readFrom(log, [topic], offset - 1).then((batch) => { t.equal(batch?.records[0]?.id, id) }))
    })
    for (const topic of ['a', 'b', 'a']) await log.append(draft(topic))
    t.teardown(stop)
    await until(() => reads.length === 3, 'all were heard')
    await Promise.all(reads)
  })

  t.test('a read gives the records of its topics behind the position, in the order of the log', async (t) => {
    const { log, append, read } = await begin(t, open)
    const ids: string[] = []
    for (const topic of ['a', 'b', 'c', 'a', 'b', 'c', 'b', 'a']) ids.push(await append(topic))
    const at = (...places: number[]) => places.map((place) => ids[place])
    t.same(idsOf(await read(['a'], 0)), at(0, 3, 7))
    t.same(idsOf(await read(['b', 'a'], 0)), at(0, 1, 3, 4, 6, 7))
    t.same(idsOf(await read(['c', 'b', 'a'], 0)), ids)
    t.same(idsOf(await read(['a', 'c'], offsetOf(ids[3]))), at(5, 7), 'not the one at the position')
    t.same(idsOf(await read(['c', 'nobody'], offsetOf(ids[5]))), [])
    t.same(idsOf(await read(['a', 'b', 'c'], log.head)), [], 'nothing is behind the head')
    t.same(idsOf(await read(['nobody'], 0)), [])
  })

  t.test('a read without a limit is through to the head, and what is appended later is behind that', async (t) => {
    const { log, append, read } = await begin(t, open)
    t.same(await read(['a'], 0), { records: [], through: 0 }, 'an empty log')
    await append('a')
    await append('b')
    for (const topics of [['a'], ['b'], ['c'], ['a', 'b', 'c']]) {
      const { through } = await read(topics, 0) as Batch
      t.equal(through, log.head)
      const id = await append(topics[0] as string)
      t.same(idsOf(await read(topics, through)), [id])
    }
  })

  t.test('a read ends with the record that passes the limit, and is through to there', async (t) => {
    const { heard, append, read } = await begin(t, open)
    for (const topic of ['a', 'b', 'a', 'b', 'a', 'b']) await append(topic, 'ü'.repeat(100))
    const sizeOf = (first: number) => heard.slice(0, first).reduce((sum, { size }) => sum + size, 0)
    t.ok(sizeOf(1) > 200, 'sizes are in bytes')
    for (const [limit, count] of [[0, 1], [1, 1], [sizeOf(1), 1], [sizeOf(1) + 1, 2], [sizeOf(4), 4], [sizeOf(4) + 1, 5]] as const) {
      const { records, through } = await read(['a', 'b'], 0, limit) as Batch
      t.equal(records.length, count, `${limit} bytes`)
      t.equal(through, records.at(-1)?.offset)
    }
  })

  t.test('readers who go on where they were get each record of their topics once, in order, while others append', async (t) => {
    let reads = 0
    await fc.assert(fc.asyncProperty(scenarios, async (scenario) => { reads += await play(open, scenario) }), { numRuns: runs, seed: SEED })
    t.ok(reads > runs, `${reads} reads, PASTELLI_FUZZ_SEED=${SEED}`)
  })

  t.test('a position before what was trimmed is told apart', async (t) => {
    const { log, append, read } = await begin(t, open, { events: FEW })
    const first = offsetOf(await append('a'))
    await overrun(log, 'a', 0)
    t.equal(await read(['a'], 0), null)
    t.equal(await read(['b', 'c', 'a'], 0), null, 'also as one of several topics')
    t.equal(await read(['a', 'b', 'c'], 0, 1), null, 'and when the limit is reached at once')
    t.equal(await read([...Array.from({ length: 1_000 }, (_, i) => `topic ${i}`), 'a'], 0), null, 'and as one of many')
    await overrun(log, 'a', first)
    t.equal(await read(['a'], first), null, 'and when it was the next one')
    t.same(await read(['a'], log.head), { records: [], through: log.head }, 'who has everything misses nothing')
  })

  t.test('a read that is not told of trimming misses nothing, and isTrimmed and earliest agree with it', async (t) => {
    const { log, heard, append, read } = await begin(t, open, { events: FEW })
    for (const topic of ['a', 'b', 'a', 'c', 'a']) await append(topic)
    await overrun(log, 'b', heard.at(-1)?.offset ?? 0)
    for (const topic of ['a', 'b', 'c', 'a', 'd']) await append(topic)
    for (const topics of [['a'], ['b'], ['c'], ['d'], ['e'], ['a', 'b'], ['c', 'd'], ['d', 'c', 'b', 'a']]) {
      let told = 0
      for (const after of [0, ...heard.map(({ offset }) => offset)]) {
        const batch = await read(topics, after)
        if (batch === null) told++
        else t.same(idsOf(batch), heard.filter(({ topic, offset }) => topics.includes(topic) && offset > after).map(({ id }) => id))
        const answers = () => [log.isTrimmed(once(topics), after), log.earliest(once(topics)) > after]
        await until(() => answers().every((isTrimmed) => isTrimmed === (batch === null)), `${topics.join()} behind ${after}: ${answers().join()}`)
      }
      t.equal(told > 0, topics.some((topic) => 'abc'.includes(topic)), `${topics.join()}: ${told} positions were too old`)
    }
  })

  t.test('a quiet topic that lost nothing knows of no gap, however much was trimmed of another', async (t) => {
    const { log, append, read } = await begin(t, open, { events: FEW })
    const before = offsetOf(await append('noisy'))
    await overrun(log, 'noisy', before)
    t.same(await read(['quiet'], 0), { records: [], through: log.head }, 'one on which nothing was published')
    const id = await append('quiet')
    for (let i = 0; i < FEW / 2; i++) await append('noisy')
    for (const after of [0, before]) {
      t.same(idsOf(await read(['quiet'], after)), [id], 'one whose only record is retained')
      t.equal(log.isTrimmed(once(['quiet']), after), false)
    }
    t.equal(log.earliest(once(['quiet'])), 0)
    t.equal(await read(['quiet', 'noisy'], 0), null, 'who had both has a gap')
  })

  t.test('appended twice to a topic with one key, it is appended once', async (t) => {
    const { heard, append, read } = await begin(t, open)
    const id = await append('a', 'first', 'key')
    const other = await append('a', 'without a key')
    t.equal(await append('a', 'second', 'key'), id, 'the answer is the record that is there')
    const ids = [id, other, await append('b', 'of another topic', 'key'), await append('a', 'of another key', 'key 2'), await append('a', 'of an empty key', '')]
    t.equal(await append('a', 'of an empty key again', ''), ids.at(-1))
    t.equal(new Set(ids).size, ids.length, 'others are others')
    const texts = ['first', 'without a key', 'of another key', 'of an empty key']
    t.same((await read(['a'], 0))?.records.map(({ data }) => data), texts)
    await append('a', 'last')
    t.same(heard.filter(({ topic }) => topic === 'a').map(({ data }) => data), [...texts, 'last'], 'and nobody heard the second')
  })

  t.test('it counts where the topic ends and the key begins', async (t) => {
    const { append } = await begin(t, open)
    for (const separator of SEPARATORS) {
      const long = await append(`a${separator}b`, 'x', 'c')
      t.not(await append('a', 'x', `b${separator}c`), long, JSON.stringify(separator))
    }
  })

  t.test('appends at once with one key are one', async (t) => {
    const { log, heard, append } = await begin(t, open)
    const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => log.append({ ...draft('a', String(i)), key: 'key' })))
    t.equal(new Set(ids).size, 1)
    await append('a', 'last')
    t.same(heard.map(({ data }) => data), ['0', 'last'])
  })

  t.test('a key is free again when its record was trimmed', async (t) => {
    const { log, append, read } = await begin(t, open, { events: FEW })
    const id = await append('a', 'first', 'key')
    await overrun(log, 'a', 0)
    const again = await append('a', 'again', 'key')
    t.ok(offsetOf(again) > offsetOf(id))
    t.equal(await append('a', 'and again', 'key'), again)
    t.same((await read(['a'], offsetOf(again) - 1))?.records.map(({ data }) => data), ['again'])
  })

  t.test('data comes out as it went in', async (t) => {
    const { log, heard } = await begin(t, open)
    const drafts = [...TEXTS.map((data) => draft('a', data)), ...VALUES.map((value) => ({ topic: 'a', data: JSON.stringify(value), json: true }))]
    for (const given of drafts) await log.append(given)
    await until(() => heard.length === drafts.length, 'all were heard')
    const { records } = await readFrom(log, ['a'], 0) as Batch
    for (const found of [heard, records]) {
      t.same(found.map(({ data }, i) => data === drafts[i]?.data), drafts.map(() => true), 'the text, to the last character')
      t.same(found.map(({ json }) => json), drafts.map(({ json }) => json))
      t.strictSame(found.map(({ payload }) => payload), [...TEXTS, ...VALUES])
    }
  })

  t.test('so does what goes with it, and what is not there is not there', async (t) => {
    const { log, heard } = await begin(t, open)
    const extras: Array<Partial<Draft>> = [
      {}, { event: '' }, { event: 'grüezi: 🎨' }, { retry: 0 }, { retry: 2 ** 53 - 1 }, { except: '' }, { except: 'some\nbody' }, { key: '' }, { key: 'grüezi\0\n' },
      { topic: PRODUCED, begins: true }, { topic: PRODUCED, ends: 'server' }, { topic: PRODUCED, data: '{}', json: true, event: 'error', ends: 'error' },
      { topic: 'b', data: '{}', json: true, event: 'e', retry: 1, except: 'x', key: 'k' }
    ]
    for (const extra of extras) await log.append({ ...draft('a'), ...extra })
    await until(() => heard.length === extras.length, 'all were heard')
    const { records } = await readFrom(log, ['a', 'b', PRODUCED], 0) as Batch
    const none = { event: undefined, retry: undefined, except: undefined, key: undefined, begins: undefined, ends: undefined }
    for (const found of [heard, records]) {
      const fields = found.map(({ topic, data, json, event, retry, except, key, begins, ends }) => ({ topic, data, json, event, retry, except, key, begins, ends }))
      t.strictSame(fields, extras.map((extra) => ({ ...draft('a'), ...none, ...extra })))
    }
    t.same(records.map(({ id, block, size }) => [id, block, size]), heard.map(({ id, block, size }) => [id, block, size]))
  })

  t.test('a topic is its name, letter for letter', async (t) => {
    const { append, read } = await begin(t, open)
    const ids = new Map<string, string[]>(ODD_TOPICS.map((topic) => [topic, []]))
    for (const topic of [...ODD_TOPICS, ...ODD_TOPICS]) ids.get(topic)?.push(await append(topic, topic, 'key'), await append(topic))
    for (const [topic, [first, second, again, last]] of ids) {
      t.equal(again, first)
      t.same(idsOf(await read([topic], 0)), [first, second, last], encodeURIComponent(topic))
    }
    t.same(idsOf(await read(['nobody', 'valueOf', 'b', 'x'.repeat(254)], 0)), [], 'and no other one')
  })

  t.test('a log that lost what it held has another epoch', async (t) => {
    const { log, next } = await open({})
    const { append: appendBefore, stop: stopBefore } = follow(log)
    t.teardown(stopBefore)
    await appendBefore('a', 'before')
    const anew = await next()
    const { append, read, stop } = follow(anew)
    t.teardown(stop)
    t.not(anew.epoch, log.epoch)
    t.equal(parsePosition(await append('a', 'after'))?.epoch, anew.epoch)
    t.same((await read(['a'], 0))?.records.map(({ data }) => data), ['after'])
    const { log: stranger } = await begin(t, open)
    t.notOk([log.epoch, anew.epoch].includes(stranger.epoch), 'and so has another log')
  })
}
