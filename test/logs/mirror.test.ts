/** What a process knows of a log on an engine, and how much of the engine it reads for what it does not. */
import fc from 'fast-check'
import t from 'tap'
import { producedTopic } from '../../lib/topics/produced.ts'
import { Record } from '../../lib/topics/record.ts'
import type { Retention } from '../../lib/topics/retained.ts'
import { Mirror } from '../../logs/mirror.ts'

const EPOCH = 'e'
const BLOCK = 100

// An engine: records at the offsets 1, 2, 3 and so on, of which a block is read at a time.
class Engine {
  readonly mirror: Mirror
  readonly records: Record[] = []
  reads = 0
  /** What the next reads fail with. */
  failures: Error[] = []
  /** Called with each read. */
  onRead: () => void = () => {}

  constructor (retention: Partial<Retention> = {}) {
    this.mirror = new Mirror({ events: 1_000, bytes: Infinity, age: Infinity, ...retention }, async (after) => {
      this.reads++
      this.onRead()
      await new Promise(setImmediate)
      const failure = this.failures.shift()
      if (failure !== undefined) throw failure
      const records = this.records.slice(after, after + BLOCK)
      return { after, through: after + records.length, records }
    })
  }

  append (topic: string): Record {
    const record = new Record(EPOCH, this.records.length + 1, { topic, data: '', json: false })
    this.records.push(record)
    return record
  }

  async offsets (topic: string, after = 0): Promise<number[] | null> {
    const batch = await this.mirror.read([topic], after, Infinity)
    return batch === null ? null : batch.records.map(({ offset }) => offset)
  }
}

// A process that starts when there are 10,000 records, and has heard as many since.
function begun (setup: (engine: Engine) => void = () => {}): Engine {
  const engine = new Engine()
  for (let n = 0; n < 10_000; n++) engine.append('public')
  setup(engine)
  engine.mirror.begin(EPOCH, engine.records.length)
  for (let n = 0; n < 10_000; n++) engine.mirror.take([engine.append('public')])
  return engine
}

t.test('keys that nobody has asked for are looked for in all that was there at the start, once', async (t) => {
  const engine = begun()
  t.same(await Promise.all(['a', 'b', 'c'].map((key) => engine.offsets(producedTopic('/', key)))), [[], [], []])
  t.equal(engine.reads, 100)
  for (const key of ['a', 'd']) t.same(await engine.offsets(producedTopic('/', key)), [])
  t.equal(engine.reads, 100)
})

t.test('a stream that was produced is read where it is, be it before the start or behind it', async (t) => {
  const before = producedTopic('/', 'before')
  const after = producedTopic('/', 'after')
  const engine = begun((engine) => { for (let n = 0; n < 3; n++) engine.append(before) })
  engine.mirror.take([engine.append(after)])
  for (let n = 0; n < 2_000; n++) engine.mirror.take([engine.append('public')])
  t.same(await engine.offsets(before), [10_001, 10_002, 10_003])
  const { reads } = engine
  t.same(await engine.offsets(after), [20_004])
  t.same(await engine.offsets(before, 10_002), [10_003])
  t.ok(engine.reads <= reads + 25, `${engine.reads - reads} reads`)
})

t.test('who looks while the engine fails is told, and the next one finds what there is', async (t) => {
  const topic = producedTopic('/', 'key')
  const engine = begun((engine) => { engine.append(topic) })
  engine.failures = [new Error('away')]
  await t.rejects(engine.offsets(topic), { message: 'away' })
  t.same(await engine.offsets(topic), [10_001])
})

t.test('what is lost while somebody looks is looked for again in what there is then', async (t) => {
  const topic = producedTopic('/', 'key')
  const engine = begun()
  engine.onRead = () => {
    if (engine.reads !== 50) return
    engine.append(topic)
    engine.mirror.lose(EPOCH, engine.records.length, 0)
  }
  t.same(await engine.offsets(topic), [20_001])
})

t.test('what was trimmed on the engine is forgotten, and told as trimmed', async (t) => {
  const keys = Array.from({ length: 3_000 }, (_, n) => producedTopic('/', String(n)))
  const engine = begun((engine) => { for (const key of keys) engine.append(key) })
  t.same(await engine.offsets(keys[0] as string), [10_001])
  engine.mirror.trim(12_000)
  t.equal(await engine.offsets(keys[0] as string), null)
  t.same(await engine.offsets(keys[0] as string, 12_000), [])
  t.same(await engine.offsets(keys[2_500] as string, 12_000), [12_501])
})

t.test('whatever is retained and wherever it is read from, what is read is what the engine has', async (t) => {
  const topics = ['public', 'other', ...['a', 'b', 'c', 'd'].map((key) => producedTopic('/', key))]
  const topic = fc.constantFrom(...topics)
  const parts = fc.record({ before: fc.array(topic, { maxLength: 400, size: 'max' }), behind: fc.array(topic, { maxLength: 400, size: 'max' }), events: fc.integer({ min: 1, max: 300 }), trimmed: fc.nat(100) })
  const question = fc.record({ topic, after: fc.nat(800), limit: fc.constantFrom(1, 50, Infinity) })
  await t.resolves(fc.assert(fc.asyncProperty(parts, fc.array(question, { minLength: 1, maxLength: 10 }), async ({ before, behind, events, trimmed }, questions) => {
    const engine = new Engine({ events })
    for (const topic of before) engine.append(topic)
    engine.mirror.begin(EPOCH, before.length)
    for (const topic of behind) engine.mirror.take([engine.append(topic)])
    engine.mirror.trim(Math.min(trimmed, engine.records.length))
    for (const { topic, after, limit } of questions) {
      const at = Math.max(Math.min(after, engine.records.length), engine.mirror.earliest([topic]))
      const seen: Record[] = []
      for (let through = at; through < engine.records.length;) {
        const batch = await engine.mirror.read([topic], through, limit)
        if (batch === null || batch.through <= through) throw new Error(`${through} leads to ${batch?.through}`)
        seen.push(...batch.records)
        through = batch.through
      }
      const expected = engine.records.filter((record) => record.topic === topic && record.offset > at)
      if (seen.length !== expected.length || seen.some((record, i) => record !== expected[i])) throw new Error(`${topic} after ${at}: ${seen.map(({ offset }) => offset)}`)
    }
  }), { numRuns: 300 }))
})
