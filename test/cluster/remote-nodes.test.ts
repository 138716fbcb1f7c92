/** Nodes on an engine that loses messages, answers late, or fails. */
import t, { type Test } from 'tap'
import { memoryLog } from '../../index.ts'
import { Cluster } from '../../lib/cluster/cluster.ts'
import type { Exchange, Living, Parcel } from '../../logs/nodes/exchange.ts'
import { RemoteNodes } from '../../logs/nodes/remote-nodes.ts'
import { acquaint, join, type Witnessed } from '../contract/nodes.ts'
import { until } from '../support/until.ts'

const TTL = 400

/** An engine in memory, which does to messages what it is told. */
class Engine {
  readonly #living = new Map<string, { version: number, till: number }>()
  readonly #hearers = new Map<string, (text: string) => void>()
  /** Which of the messages are lost. */
  loses: (parcel: Parcel) => boolean = () => false
  /** What each post waits for; a failure is that of the post. */
  gate: Promise<void> = Promise.resolve()
  /** What the look of a node waits for. */
  door: (id: string) => Promise<void> = async () => {}
  /** All that it was given to send, come or not. */
  readonly posted: Parcel[] = []

  nodes (timeout = 1_000): RemoteNodes<{ close: () => void }> {
    return new RemoteNodes({ ttl: TTL, timeout }, (id) => this.#exchange(id), async () => this.#living.size !== 0)
  }

  /** It forgets who lives. */
  empty (): void {
    this.#living.clear()
  }

  /** As if it had come from a node. */
  forge (text: string): void {
    for (const hear of this.#hearers.values()) hear(text)
  }

  #exchange (id: string): Exchange<{ close: () => void }> {
    const texts: string[] = []
    let arrived = () => {}
    this.#hearers.set(id, (text) => {
      texts.push(text)
      arrived()
    })
    const post = async (parcels: readonly Parcel[]) => {
      this.posted.push(...parcels)
      await this.gate
      for (const parcel of parcels) {
        if (this.loses(parcel)) continue
        for (const [node, hear] of this.#hearers) if (parcel.to === null || parcel.to === node) hear(parcel.text)
      }
    }
    return {
      open: async () => ({ close () {} }),
      look: async (_own, version): Promise<Living> => {
        await this.door(id)
        const now = performance.now()
        const isKnown = (this.#living.get(id)?.till ?? 0) > now
        this.#living.set(id, { version, till: now + TTL })
        return { isKnown, versions: new Map([...this.#living].filter(([, { till }]) => till > now).map(([node, { version }]) => [node, version])) }
      },
      hear: async (_own, ms) => {
        if (texts.length === 0) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, ms)
            arrived = () => {
              clearTimeout(timer)
              resolve()
            }
          })
        }
        return texts.splice(0)
      },
      post,
      leave: async (parcels) => {
        this.#living.delete(id)
        await post(parcels)
      }
    }
  }
}

async function begin (t: Test, count: number): Promise<{ engine: Engine, nodes: Witnessed[] }> {
  const engine = new Engine()
  const nodes: Witnessed[] = []
  for (let i = 0; i < count; i++) nodes.push(await join(t, engine.nodes()))
  await acquaint(nodes)
  return { engine, nodes }
}

await t.test('whatever messages were lost, all know the same in the end', async (t) => {
  const { engine, nodes } = await begin(t, 3)
  let n = 0
  engine.loses = () => n++ % 3 === 0
  for (let round = 0; round < 40; round++) {
    for (const [i, node] of nodes.entries()) {
      for (let key = 0; key < 50; key++) node.set(`key ${(key * round + i) % 60}`, key % 4 === 0 ? null : `${round} ${'x'.repeat(2_000)}`)
    }
    await new Promise(setImmediate)
  }
  engine.loses = () => false
  const [one, other, third] = nodes as [Witnessed, Witnessed, Witnessed]
  const of = ({ said }: Witnessed) => JSON.stringify([...said].sort())
  await until(() => of(one) === of(other) && of(one) === of(third), 'all know the same')
  t.ok(one.said.size > 60)
  t.same(nodes.map(({ refused, states }) => [...refused, ...states]), [[], [], []])
})

await t.test('announcements that come ahead of what they follow are kept, and not without bounds', async (t) => {
  const { engine, nodes: [one] } = await begin(t, 1) as { engine: Engine, nodes: [Witnessed] }
  const from = 'peer'
  const say = (after: number, changes: unknown[]) => { engine.forge(JSON.stringify({ type: 'said', from, after, version: after + 1, changes })) }
  const tell = (version: number, part: number, isLast: boolean, changes: unknown[]) => { engine.forge(JSON.stringify({ type: 'all', from, version, part, isLast, changes })) }
  say(5, [['a', 'six']])
  say(6, [['b', 'seven']])
  tell(5, 0, false, [['a', 'five'], ['c', 'five']])
  tell(4, 1, true, [['d', 'of another answer']])
  tell(5, 2, true, [['d', 'too far']])
  t.equal(one.said.size, 0)
  tell(5, 1, true, [['d', 'five']])
  await until(() => one.said.get('peer b') === 'seven')
  t.same([...one.said].sort(), [['peer a', 'six'], ['peer b', 'seven'], ['peer c', 'five'], ['peer d', 'five']])
  tell(6, 0, true, [['a', 'older than what is known']])
  for (let after = 10; after < 1_015; after++) say(after, [[`key ${after}`, 'x']])
  tell(10, 0, true, [['a', 'ten']])
  await until(() => one.said.get('peer a') === 'ten')
  t.equal(one.said.size, 1, 'too many to be kept: it is asked for all once more')
})

await t.test('what fails is not sent again, and what waits too long not at all', async (t) => {
  const { engine, nodes: [one, other] } = await begin(t, 2) as { engine: Engine, nodes: [Witnessed, Witnessed] }
  engine.gate = Promise.reject(new Error('no'))
  engine.gate.catch(() => {})
  await t.rejects(one.send(null, 'fails'), { code: 'PST_ERR_LOG', message: /no$/ })
  let open = () => {}
  engine.gate = new Promise((resolve) => { open = resolve })
  const waiting = ['x'.repeat(300_000), 'behind it'].map((body) => one.send(null, body))
  await Promise.all(waiting.map((sent) => t.rejects(sent, { code: 'PST_ERR_LOG', message: /no answer within 1000 ms/ })))
  const tried = (body: string) => engine.posted.filter(({ text }) => text.endsWith(`\n${body}`)).length
  t.same([tried('fails'), tried('behind it')], [1, 0], 'the second one was not even tried')
  open()
  engine.gate = Promise.resolve()
  await one.send(null, 'last')
  await until(() => other.messages.length >= 1 && other.messages.at(-1)?.[1] === 'last')
  t.notOk(other.messages.some(([, body]) => body === 'fails' || body === 'behind it'))
})

await t.test('not more than some megabytes wait for an engine that does not answer', async (t) => {
  const { engine, nodes: [one, other] } = await begin(t, 2) as { engine: Engine, nodes: [Witnessed, Witnessed] }
  let open = () => {}
  engine.gate = new Promise((resolve) => { open = resolve })
  const sent = Array.from({ length: 40 }, () => one.send(null, 'x'.repeat(500_000)).then(() => 'sent', (err: Error) => err.message))
  const refused = (await Promise.race([Promise.all(sent.slice(-3)), new Promise<string[]>((resolve) => { setTimeout(resolve, 500, []) })]))
  t.same(refused, Array.from({ length: 3 }, () => 'The log is not available: too much waits for it already'))
  engine.forge(JSON.stringify({ type: 'ask', from: other.id }))
  open()
  engine.gate = Promise.resolve()
  await Promise.all(sent)
  other.set('a', '1')
  await until(() => one.said.has(`${other.id} a`))
})

await t.test('one whose question is never answered asks again before the others take it for dead', async (t) => {
  const { engine, nodes: [one, other] } = await begin(t, 2) as { engine: Engine, nodes: [Witnessed, Witnessed] }
  let isStuck = false
  engine.door = async (id) => {
    if (id !== other.id || isStuck) return
    isStuck = true
    await new Promise(() => {})
  }
  await until(() => isStuck, 'it has asked')
  engine.empty()
  await until(() => other.states.includes('recovered'), 'it is answered again')
  t.same([one.left, one.alive.length], [[], 2])
})

await t.test('one that leaves waits for an engine that does not answer as long as for one answer, whatever it has still to say', async (t) => {
  const { engine, nodes: [other] } = await begin(t, 1) as { engine: Engine, nodes: [Witnessed] }
  const one = await join(t, engine.nodes(1_500))
  await acquaint([one, other])
  let open = () => {}
  engine.gate = new Promise((resolve) => { open = resolve })
  const waiting = ['x'.repeat(300_000), 'behind it'].map((body) => t.rejects(one.send(null, body), { code: 'PST_ERR_LOG' }))
  const began = performance.now()
  await one.leave()
  t.ok(performance.now() - began < 2_700, `${performance.now() - began} ms`)
  t.same(one.states, ['failed'], 'and it is said')
  open()
  engine.gate = Promise.resolve()
  await Promise.all(waiting)
  await until(() => other.left.length === 1, 'the others find out')
})

await t.test('a goodbye counts, whatever the engine says a little later', async (t) => {
  const { engine, nodes: [one, other, third] } = await begin(t, 3) as { engine: Engine, nodes: [Witnessed, Witnessed, Witnessed] }
  third.set('a', '1')
  await until(() => one.said.size === 1 && other.said.size === 1)
  engine.forge(JSON.stringify({ type: 'bye', from: third.id }))
  await until(() => one.left.length === 1 && other.left.length === 1)
  third.set('a', '2')
  await third.send(null, 'late')
  await new Promise((resolve) => { setTimeout(resolve, TTL) })
  t.same([one.said.size, one.messages, one.alive.length], [0, [], 2])
  await until(() => one.alive.length === 3, 'one that lives all the same comes back')
})

await t.test('the others are woken as soon as the log takes that, and nobody who stops waits for it', async (t) => {
  const engine = new Engine()
  const said: string[] = []
  let failures = 1
  const log = Object.assign(memoryLog(), { nodes: engine.nodes() })
  const append = log.append.bind(log)
  log.append = (draft) => {
    if (failures-- > 0) throw new Error('away')
    return append(draft)
  }
  const logger = { info () {}, error: (_fields: object, message: string) => { said.push(message) } }
  const [one, other, third] = [new Cluster(log, logger), new Cluster(log, logger), new Cluster(log, logger)]
  await one.start()
  one.use()
  await until(() => said.length === 1)
  t.same(said, ['the other nodes can not be woken'])
  await third.stop()
  await one.ready
  t.equal(one.use().alive.length, 2)
  t.same(one.use().alive, other.use().alive)
  t.not(third.use().id, one.use().id, 'and one that has stopped is alone')
  t.equal(third.use().alive.length, 1)
  failures = Infinity
  await Promise.all([one.stop(), other.stop()])
  t.equal(await engine.nodes().isUsed(), false)
})
