/** Readers of a log, each with topics, a place and a pace of its own, while others append: random scenarios, played against a list. */
import { deepStrictEqual, ok } from 'node:assert/strict'
import fc from 'fast-check'
import type { Record } from '../../index.ts'
import { follow, type Open, type Scene } from './scene.ts'

export interface Scenario {
  steps: Array<{ topic: string, data: string } | { reader: number, limit: number }>
  /** Each starts behind the record of this number; one that there is not yet is waited for. */
  readers: Array<{ topics: string[], behind: number }>
}

const TOPICS = ['a', 'b', 'c', 'd']
const READERS = 3

const append = fc.record({ topic: fc.constantFrom(...TOPICS), data: fc.string({ unit: 'grapheme', maxLength: 40 }) })
const read = fc.record({ reader: fc.nat(READERS - 1), limit: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constant(Infinity)) })
const reader = fc.record({ topics: fc.subarray(TOPICS, { minLength: 1 }), behind: fc.nat(20) })

export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  steps: fc.array(fc.oneof({ weight: 3, arbitrary: append }, { weight: 2, arbitrary: read }), { maxLength: 60, size: 'max' }),
  readers: fc.array(reader, { minLength: READERS, maxLength: READERS })
})

/** Throws unless every reader is given each record of its topics once, in order. Answers how many reads there were. */
export async function play (open: Open, { steps, readers }: Scenario): Promise<number> {
  const scene = follow((await open({})).log)
  const all = readers.map(({ topics, behind }) => new Reader(scene, topics, behind))
  for (const step of steps) {
    if ('topic' in step) await scene.append(step.topic, step.data)
    else await all[step.reader]?.read(step.limit)
  }
  for (const reader of all) await reader.finish()
  await scene.stop()
  return all.reduce((sum, { reads }) => sum + reads, 0)
}

class Reader {
  reads = 0
  readonly #scene: Scene
  readonly #topics: string[]
  readonly #behind: number
  readonly #given: Record[] = []
  #through: number | undefined

  constructor (scene: Scene, topics: string[], behind: number) {
    this.#scene = scene
    this.#topics = topics
    this.#behind = behind
    if (behind === 0) this.#through = 0
  }

  async read (limit: number): Promise<void> {
    const { log, heard } = this.#scene
    this.#through ??= heard[this.#behind - 1]?.offset
    if (this.#through === undefined) return
    const after = this.#through
    const batch = await this.#scene.read(this.#topics, after, limit)
    this.reads++
    ok(batch !== null, 'nothing was trimmed')
    const { records, through } = batch
    this.#given.push(...records)
    this.#through = through
    deepStrictEqual(this.#given.map(({ id }) => id), this.#wanted.slice(0, this.#given.length).map(({ id }) => id))
    const last = records.at(-1)
    const size = sizeOf(records)
    const next = this.#wanted[this.#given.length]
    ok(size - (last?.size ?? 0) < limit, 'no more than passes the limit')
    ok(next === undefined || size >= limit, 'and no less')
    ok(through >= (last?.offset ?? after), 'it is through with what it gave')
    ok(next === undefined || through < next.offset, 'and not with what it did not give')
    ok(size >= limit || through >= log.head, 'to the head, unless the limit ended it')
  }

  /** Reads to the head. */
  async finish (): Promise<void> {
    const { log, heard } = this.#scene
    if (heard.length < this.#behind) return
    do await this.read(100); while ((this.#through ?? 0) < log.head)
    deepStrictEqual(this.#given.map(({ id, data }) => [id, data]), this.#wanted.map(({ id, data }) => [id, data]))
  }

  // In all, as far as it was appended.
  get #wanted (): Record[] {
    return this.#scene.heard.slice(this.#behind).filter(({ topic }) => this.#topics.includes(topic))
  }
}

function sizeOf (records: readonly Record[]): number {
  return records.reduce((sum, { size }) => sum + size, 0)
}
