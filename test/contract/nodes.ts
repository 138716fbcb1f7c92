/** The contract of nodes as tests, the same for every engine. */
import type { Test } from 'tap'
import { MAX_SAID, type Nodes, type OwnNode } from '../../lib/cluster/nodes.ts'
import { until } from '../support/until.ts'

/** A node under test, with all that it was told. */
export interface Witnessed extends OwnNode {
  /** What is said now, by node and key. */
  readonly said: Map<string, string>
  /** Every change, `node key value`. */
  readonly changes: string[]
  readonly messages: Array<[from: string, body: string]>
  readonly left: string[]
  readonly refused: unknown[]
  readonly states: string[]
}

/** Opens an engine of its own, and answers what opens it as another process does. */
export type OpenNodes = (t: Test) => Promise<() => Promise<Nodes>>

/** Joins, and leaves with the test. */
export async function join (t: Test, nodes: Nodes): Promise<Witnessed> {
  const told = { said: new Map<string, string>(), changes: [] as string[], messages: [] as Array<[string, string]>, left: [] as string[], refused: [] as unknown[], states: [] as string[] }
  const own = nodes.join({
    changed: (node, key, value) => {
      told.changes.push(`${node} ${key} ${value ?? '-'}`)
      if (value === null) told.said.delete(`${node} ${key}`)
      else told.said.set(`${node} ${key}`, value)
    },
    left: (node) => { told.left.push(node) },
    message: (from, body) => { told.messages.push([from, body]) },
    failed: () => { told.states.push('failed') },
    recovered: () => { told.states.push('recovered') },
    refused: (error) => { told.refused.push(error) }
  })
  t.teardown(() => own.leave())
  await own.ready
  const { id, ready } = own
  return {
    ...told,
    id,
    ready,
    get alive () { return own.alive },
    set: (key, value) => { own.set(key, value) },
    send: (to, body) => own.send(to, body),
    leave: () => own.leave()
  }
}

/** Resolves when all know of all. */
export async function acquaint (nodes: readonly OwnNode[]): Promise<void> {
  const ids = nodes.map(({ id }) => id).sort().join()
  await until(() => nodes.every(({ alive }) => alive.join() === ids), 'all know of all')
}

export function nodesContract (t: Test, open: OpenNodes): void {
  const begin = async (t: Test, count: number) => {
    const another = await open(t)
    const nodes: Witnessed[] = []
    for (let i = 0; i < count; i++) nodes.push(await join(t, await another()))
    await acquaint(nodes)
    return { nodes, another }
  }

  t.test('nodes know of each other, each by its own id', async (t) => {
    const { nodes } = await begin(t, 3)
    t.equal(new Set(nodes.map(({ id }) => id)).size, 3)
    for (const { id, alive } of nodes) {
      t.match(id, /^[\w-]{1,64}$/)
      t.ok(alive.includes(id))
      t.same(alive, [...alive].sort())
    }
  })

  t.test('it is known whether there is a node', async (t) => {
    const another = await open(t)
    await join(t, await another())
    t.equal(await (await another()).isUsed(), true)
  })

  t.test('what one says is known to itself at once, and soon to all, and is told as a change once', async (t) => {
    const { nodes } = await begin(t, 3)
    const [one] = nodes as [Witnessed]
    one.set('a', '1')
    t.same([...one.said], [[`${one.id} a`, '1']])
    for (const { said } of nodes) await until(() => said.get(`${one.id} a`) === '1')
    one.set('a', '2')
    one.set('a', '2')
    for (const { said } of nodes) await until(() => said.get(`${one.id} a`) === '2')
    one.set('a', null)
    one.set('b', null)
    for (const { said } of nodes) await until(() => said.size === 0)
    for (const { changes } of nodes) t.same(changes, ['1', '2', '-'].map((value) => `${one.id} a ${value}`))
  })

  t.test('any text is said as it is', async (t) => {
    const { nodes } = await begin(t, 2)
    const [one, other] = nodes as [Witnessed, Witnessed]
    const texts = ['', ' ', '\n', '\0', '"', '\\', '{}', 'null', 'grüezi 🎨', '\u2028', '__proto__', 'x'.repeat(1_000)]
    for (const text of texts) one.set(text, text)
    await until(() => other.said.size === texts.length)
    for (const text of texts) t.equal(other.said.get(`${one.id} ${text}`), text)
  })

  t.test('who comes later learns all that was said, before it is ready', async (t) => {
    const { nodes: [one], another } = await begin(t, 1) as { nodes: [Witnessed], another: () => Promise<Nodes> }
    const keys = Array.from({ length: 5_000 }, (_, i) => `key ${i}`)
    for (const key of keys) one.set(key, key.repeat(10))
    one.set('key 7', null)
    const late = await join(t, await another())
    t.equal(late.said.size, keys.length - 1)
    t.equal(late.changes.length, keys.length - 1)
    one.set('key 7', 'again')
    await until(() => late.said.get(`${one.id} key 7`) === 'again')
  })

  t.test('of what changes all the time, nothing is missing in the end, also for those who come in the middle', async (t) => {
    const { nodes, another } = await begin(t, 2)
    for (let round = 0; round < 60; round++) {
      for (const [i, node] of nodes.entries()) for (let n = 0; n < 20; n++) node.set(`key ${(round * 7 + n * i) % 40}`, n % 3 === 0 ? null : `${round} ${n}`)
      if (round % 20 === 10) nodes.push(await join(t, await another()))
      await new Promise(setImmediate)
    }
    for (const node of nodes) node.set('last', 'last')
    const last = () => nodes.every(({ said }) => nodes.every(({ id }) => said.has(`${id} last`)))
    await until(last, 'all know the last')
    const [first] = nodes as [Witnessed]
    for (const { said } of nodes) t.same([...said].sort(), [...first.said].sort())
  })

  t.test('a message comes to whom it is for, in order, once', async (t) => {
    const { nodes } = await begin(t, 3)
    const [one, other, third] = nodes as [Witnessed, Witnessed, Witnessed]
    const bodies = Array.from({ length: 200 }, (_, i) => `message ${i}`)
    for (const [i, body] of bodies.entries()) void one.send(i % 2 === 0 ? null : other.id, body)
    await one.send(null, 'last')
    await one.send(other.id, 'last of its own')
    await until(() => other.messages.length === 202 && third.messages.length === 101)
    const even = bodies.filter((_, i) => i % 2 === 0)
    t.same(third.messages, [...even, 'last'].map((body) => [one.id, body]))
    const toAll = ([, body]: [string, string]) => even.includes(body) || body === 'last'
    t.same(other.messages.filter(toAll), third.messages)
    t.same(other.messages.filter((message) => !toAll(message)).map(([, body]) => body), [...bodies.filter((body) => !even.includes(body)), 'last of its own'])
    t.same(one.messages, [], 'not to who sent it')
  })

  t.test('a message is any text, also a large one', async (t) => {
    const { nodes } = await begin(t, 2)
    const [one, other] = nodes as [Witnessed, Witnessed]
    const bodies = ['', '\n', '{"type":"bye"}\n', 'grüezi 🎨\n\0', 'x'.repeat(500_000)]
    for (const body of bodies) await one.send(null, body)
    await until(() => other.messages.length === bodies.length)
    t.ok(other.messages.every(([, body], i) => body === bodies[i]))
    await one.send('nobody', 'x')
  })

  t.test('of one that leaves all is gone, told as changes, and who knew of it is told once', async (t) => {
    const { nodes } = await begin(t, 3)
    const [one, ...others] = nodes as [Witnessed, Witnessed, Witnessed]
    one.set('a', '1')
    one.set('b', '2')
    for (const { said } of others) await until(() => said.size === 2)
    await one.leave()
    for (const other of others) {
      await until(() => other.left.length === 1)
      t.same(other.left, [one.id])
      t.equal(other.said.size, 0)
      t.same(other.changes.slice(2).sort(), [`${one.id} a -`, `${one.id} b -`])
      t.notOk(other.alive.includes(one.id))
    }
    await one.leave()
  })

  t.test('more than may be said is refused', async (t) => {
    const { nodes } = await begin(t, 1)
    t.throws(() => nodes[0]?.set('a', 'x'.repeat(MAX_SAID)), RangeError)
    t.throws(() => nodes[0]?.set('x'.repeat(MAX_SAID + 1), null), RangeError)
    t.equal(nodes[0]?.said.size, 0)
  })
}
