/** The memory log: it keeps the contract of a log, and each of its bounds holds exactly. */
import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { memoryLog, type Record, type Retention } from '../../index.ts'
import { MemoryLog } from '../../lib/topics/memory-log.ts'
import { logContract } from '../contract/log.ts'
import { draft, offsetOf } from '../contract/scene.ts'
import { heldBytes } from '../support/garbage.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)
const UNBOUNDED: Retention = { events: Infinity, bytes: Infinity, age: Infinity }
const KNOWN_TOPICS = 10_000

/** A log that is not bounded but by these, and whose time stands still. */
class Scene {
  now = 0
  readonly heard: Record[] = []
  readonly log: MemoryLog

  constructor (retention: Partial<Retention>) {
    this.log = new MemoryLog(retention, () => this.now)
    this.log.follow((record) => { this.heard.push(record) })
  }

  append (topic: string, data?: string, key?: string): number {
    return offsetOf(this.log.append({ ...draft(topic, data), key }))
  }

  /** The offsets of what is retained. */
  retained (...topics: string[]): number[] | undefined {
    return this.log.read(topics, this.log.earliest(topics), Infinity)?.records.map(({ offset }) => offset)
  }
}

function bounded (bound: Partial<Retention>): Scene {
  return new Scene({ ...UNBOUNDED, ...bound })
}

t.test('the memory log keeps the contract of a log', async (t) => {
  logContract(t, async (bounds) => ({ log: memoryLog(bounds), next: async () => memoryLog(bounds) }))
})

t.test('as many events are retained as it is told, of all topics together', async (t) => {
  const { log, append, retained } = bind(bounded({ events: 3 }))
  for (const topic of ['a', 'b', 'a']) append(topic)
  t.same(retained('a', 'b'), [1, 2, 3])
  t.equal(log.isTrimmed(['a', 'b'], 0), false)
  append('c')
  t.same(retained('a', 'b', 'c'), [2, 3, 4], 'and not one more')
  t.equal(log.isTrimmed(['a'], 0), true)
  t.equal(log.isTrimmed(['a'], 1), false, 'who has the one that went misses nothing')
  t.equal(log.isTrimmed(['b'], 0), false, 'nor who has no use for it')
})

t.test('what is not sent counts as well where it is large', async (t) => {
  const large = 'x'.repeat(500)
  for (const more of [{ except: large }, { key: large }, { topic: `a${large}`, producer: 'p' }, { topic: '\x01', producer: 'p', data: large }]) {
    const { log } = new Scene({ ...UNBOUNDED, bytes: 1_100 })
    for (let n = 0; n < 5; n++) void log.append({ ...draft('a'), ...more, ...more.key !== undefined && { key: `${n}${large}` } })
    t.equal(log.stock.events, 2, Object.keys(more).join())
  }
})

t.test('the bytes of what is retained are bounded: those of the blocks, in UTF-8', async (t) => {
  const size = sizeOf('ü'.repeat(50))
  t.ok(size > 100)
  const full = bind(bounded({ bytes: size * 3 }))
  for (let i = 0; i < 3; i++) full.append('a', 'ü'.repeat(50))
  t.same(full.retained('a'), [1, 2, 3], 'up to the last byte')
  full.append('b', 'ü'.repeat(50))
  t.same(full.retained('a', 'b'), [2, 3, 4])
  const short = bind(bounded({ bytes: size * 3 - 1 }))
  for (let i = 0; i < 3; i++) short.append('a', 'ü'.repeat(50))
  t.same(short.retained('a'), [2, 3], 'one byte less is one event less')
  short.append('a', '')
  t.same(short.retained('a'), [2, 3, 4], 'a small one fits in where a large one left')
})

t.test('an event larger than all that may be retained is heard, and trimmed at once', async (t) => {
  const { log, heard, append, retained } = bind(bounded({ bytes: 1_000 }))
  append('a')
  const offset = append('b', 'x'.repeat(1_000), 'key')
  t.equal(heard.at(-1)?.data.length, 1_000)
  t.equal(log.head, offset)
  t.same(retained('a', 'b'), [], 'with what was before it')
  t.equal(log.read(['b'], offset - 1, Infinity), null)
  t.not(log.read(['b'], offset, Infinity), null)
  t.equal(append('b', 'x', 'key'), offset + 1, 'and its key is free')
  t.same(retained('a', 'b'), [offset + 1], 'what comes after it is retained')
})

t.test('an event is retained up to its age, to the last moment', async (t) => {
  const looks: Array<[look: string, isThere: (log: MemoryLog) => boolean]> = [
    ['read', (log) => log.read(['a'], 0, Infinity) !== null],
    ['isTrimmed', (log) => !log.isTrimmed(['a'], 0)],
    ['earliest', (log) => log.earliest(['a']) === 0],
    ['append', (log) => log.append({ ...draft('a'), key: 'key' }).endsWith(':1')]
  ]
  for (const [look, isThere] of looks) {
    const scene = bounded({ age: 100 })
    scene.now = 1_000
    scene.append('a', 'x', 'key')
    scene.now = 1_100
    t.equal(isThere(scene.log), true, `${look}: there, as old as it may be`)
    scene.now = 1_100.001
    t.equal(isThere(scene.log), false, `${look}: gone, though nothing else happened`)
  }
  const { log, append, retained, at } = bind(bounded({ age: 100 }))
  for (const now of [0, 50, 100]) {
    at(now)
    append('a')
  }
  t.same(retained('a'), [1, 2, 3])
  at(150)
  t.same(retained('a'), [2, 3], 'each has an age of its own')
  at(1_000_000)
  t.same(retained('a'), [])
  t.equal(log.head, 3, 'the head stays')
})

t.test('by default these are 10,000 events, 4 MiB and 5 minutes', async (t) => {
  const events = bind(new Scene({}))
  for (let i = 0; i < 10_000; i++) events.append('a', '')
  t.equal(events.log.isTrimmed(['a'], 0), false)
  events.append('a', '')
  t.equal(events.log.earliest(['a']), 1)

  const text = 'x'.repeat(4 * 1024 * 1024 - sizeOf(''))
  for (const [data, retained] of [[text, [1]], [text + 'x', []]] as const) {
    const bytes = bind(new Scene({}))
    bytes.append('a', data)
    t.same(bytes.retained('a'), retained)
  }

  const age = bind(new Scene({ events: undefined, bytes: undefined, age: undefined }))
  age.append('a')
  age.at(300_000)
  t.equal(age.log.isTrimmed(['a'], 0), false)
  age.at(300_001)
  t.equal(age.log.isTrimmed(['a'], 0), true)
})

t.test('Infinity is no bound', async (t) => {
  const { append, retained, at } = bind(new Scene(UNBOUNDED))
  for (let i = 0; i < 20_000; i++) append('a', 'x'.repeat(500))
  at(1e12)
  t.equal(retained('a')?.length, 20_000)
})

t.test('whatever is appended, read and waited for, it is the longest newest part within all bounds that is retained', async (t) => {
  const topic = fc.constantFrom<string[]>('a', 'b', 'c', '__proto__')
  const steps = fc.array(fc.oneof(
    { weight: 4, arbitrary: fc.record({ topic, data: fc.string({ maxLength: 60 }), key: fc.option(fc.constantFrom('k', 'l'), { nil: undefined }) }) },
    { weight: 1, arbitrary: fc.record({ wait: fc.nat(6) }) },
    { weight: 3, arbitrary: fc.record({ topics: fc.uniqueArray(topic, { minLength: 1 }), behind: fc.nat(15), limit: fc.integer({ min: 1, max: 300 }) }) }
  ), { maxLength: 60, size: 'max' })
  const retention = fc.record({ events: fc.integer({ min: 1, max: 12 }), bytes: fc.integer({ min: 1, max: 800 }), age: fc.integer({ min: 1, max: 20 }) })
  let gaps = 0
  let given = 0
  fc.assert(fc.property(retention, steps, (bounds, steps) => {
    const scene = new Scene(bounds)
    const { log, heard } = scene
    const times: number[] = []
    const isRetained = ({ offset }: Record) => {
      const newer = heard.slice(offset - 1)
      return newer.length <= bounds.events && newer.reduce((total, { weight }) => total + weight, 0) <= bounds.bytes && scene.now - (times[offset - 1] as number) <= bounds.age
    }
    for (const step of steps) {
      if ('wait' in step) {
        scene.now += step.wait
      } else if ('data' in step) {
        const known = heard.find((record) => step.key !== undefined && record.key === step.key && record.topic === step.topic && isRetained(record))
        times.push(scene.now)
        strictEqual(scene.append(step.topic, step.data, step.key), known?.offset ?? times.length)
        if (known !== undefined) times.pop()
        strictEqual(heard.length, times.length)
        strictEqual(log.head, times.length)
      } else {
        const { topics, limit } = step
        const after = Math.max(0, log.head - step.behind)
        const wanted = heard.filter((record) => topics.includes(record.topic))
        const lost = wanted.filter((record) => !isRetained(record))
        const isTrimmed = lost.some(({ offset }) => offset > after)
        const batch = log.read(topics, after, limit)
        strictEqual(batch === null, isTrimmed)
        strictEqual(log.isTrimmed(topics, after), isTrimmed)
        strictEqual(log.earliest(topics), lost.at(-1)?.offset ?? 0)
        const behind = wanted.filter(({ offset }) => offset > after)
        const first = behind.filter((_, i) => sum(behind.slice(0, i)) < limit)
        if (batch === null) {
          gaps++
        } else {
          deepStrictEqual(batch, { records: first, through: first.length === behind.length ? log.head : first.at(-1)?.offset })
          given += first.length
        }
      }
    }
  }), { numRuns: 2_000, seed: SEED })
  t.ok(gaps > 500, `${gaps} reads were told of a gap, PASTELLI_FUZZ_SEED=${SEED}`)
  t.ok(given > 500, `${given} records were read`)
})

t.test('up to where a topic was trimmed is known of the 10,000 that were last; of others it may be thought to be later, never earlier', async (t) => {
  const { log, append } = bind(bounded({ events: 1 }))
  const trimmed = (topic: number) => log.earliest([`topic ${topic}`])
  for (let i = 1; i <= KNOWN_TOPICS + 1; i++) append(`topic ${i}`)
  t.equal(trimmed(1), 1)
  t.equal(trimmed(KNOWN_TOPICS), KNOWN_TOPICS)
  t.equal(log.earliest(['quiet']), 0, 'nobody is told of a gap that there is not')
  const topics = KNOWN_TOPICS * 4
  for (let i = KNOWN_TOPICS + 2; i <= topics + 1; i++) append(`topic ${i}`)
  const all = Array.from({ length: topics }, (_, i) => i + 1)
  t.same(all.filter((topic) => trimmed(topic) < topic), [], 'never earlier than it was')
  t.same(all.slice(-KNOWN_TOPICS).filter((topic) => trimmed(topic) !== topic), [], 'and of 10,000 as it was')
  const forgotten = log.earliest(['quiet'])
  t.ok(forgotten > 0, 'a topic that was never trimmed can not be told from one that was forgotten')
  t.ok(forgotten <= topics - KNOWN_TOPICS, 'which is so for clients from before all that is known')
  t.equal(log.read(['quiet'], forgotten - 1, Infinity), null)
  t.same(log.read(['quiet'], forgotten, Infinity)?.records, [])
  append('topic 1')
  append('topic 1')
  t.equal(trimmed(1), log.head - 1, 'one that was forgotten is known again')
})

t.test('what was trimmed leaves nothing behind, whatever its topics and keys were', async (t) => {
  const log = new MemoryLog({ events: 100 })
  const heldAfter = async (from: number, to: number) => {
    for (let i = from; i < to; i++) log.append({ ...draft(`${i}`.padEnd(256)), key: `${i}`.padEnd(256) })
    return await heldBytes()
  }
  const before = await heldAfter(0, KNOWN_TOPICS * 3)
  const after = await heldAfter(KNOWN_TOPICS * 3, KNOWN_TOPICS * 5)
  const bytes = (after - before) / (KNOWN_TOPICS * 2)
  t.ok(bytes < 100, `${bytes} bytes for each of 20,000 topics with names of 256`)
})

t.test('what can\'t be encoded throws, and nothing is appended', async (t) => {
  const { log, heard, append } = bind(bounded({}))
  append('a')
  t.throws(() => append('a', '\ud83c', 'key'), { code: 'PST_ERR_DATA' })
  t.throws(() => log.append({ ...draft('a'), event: 'a\nb' }), { code: 'PST_ERR_FIELD' })
  t.equal(log.head, 1)
  t.equal(heard.length, 1)
  t.equal(append('a', 'x', 'key'), 2, 'and the key is free')
})

for (const [name, create] of [['memoryLog', memoryLog], ['new MemoryLog', (retention: Partial<Retention>) => new MemoryLog(retention)]] as const) {
  t.test(`${name} refuses a retention that is wrong, and says what would be right`, async (t) => {
    for (const bound of ['events', 'bytes', 'age']) {
      for (const value of [1, Number.MAX_SAFE_INTEGER, Infinity, undefined]) t.doesNotThrow(() => create({ [bound]: value }), `${bound}: ${value}`)
      for (const [value, shown] of [
        [0, '0'], [-1, '-1'], [1.5, '1.5'], ['5', '"5"'], [NaN, 'NaN'], [-Infinity, '-Infinity'], [2 ** 53, '9007199254740992'], [null, 'null'], [true, 'true'],
        [5n, '5'], [{}, 'an object'], [[5], 'an array'], [() => 5, 'a function'], [Symbol('s'), 'Symbol(s)'], [Object.create(null), 'an object']
      ]) refused(t, () => create({ [bound]: value } as object), `option "${bound}" must be a positive integer or Infinity, got ${shown as string}`)
    }
    for (const unknown of ['Events', 'size', 'toString', '']) refused(t, () => create({ [unknown]: 1 } as object), `option "${unknown}" must be one of events, bytes, age, got an unknown option`)
    refused(t, () => create(JSON.parse('{ "__proto__": 1 }')), 'option "__proto__" must be one of events, bytes, age, got an unknown option')
    for (const [value, shown] of [[null, 'null'], [5, '5'], ['', '""'], [true, 'true'], [() => {}, 'a function']] as const) {
      refused(t, () => create(value as object), `option "retention" must be an object, got ${shown}`)
    }
  })
}

function refused (t: Test, create: () => unknown, message: string): void {
  t.throws(create, { code: 'PST_ERR_OPTION', message: `pastelli: ${message}` })
}

// Its methods as functions, and its time to be set.
function bind (scene: Scene) {
  return {
    log: scene.log,
    heard: scene.heard,
    append: scene.append.bind(scene),
    retained: scene.retained.bind(scene),
    at: (now: number) => { scene.now = now }
  }
}

function sizeOf (data: string): number {
  const scene = bounded({})
  scene.append('a', data)
  return sum(scene.heard)
}

function sum (records: Record[]): number {
  return records.reduce((total, { size }) => total + size, 0)
}
