/** What nodes promise while their engine fails, or one of them does, as tests: the same for every engine. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { acquainted, another, counted, type Node, node, nodes } from '../support/cluster.ts'
import { subscribe } from '../support/subscriber.ts'
import type { Victim } from '../support/victims.ts'
import { Witness } from '../support/witness.ts'

// Long enough for a machine that is busy.
const TTL = 1_000

type Open = (t: Test, nodeTimeout: number) => Promise<Victim>

/** @param open answers an engine of its own each time */
export function nodeDeaths (t: Test, open: Open): void {
  t.test('of a node that is killed all leaves are told in time, once on each other node, and nothing stays in the engine', async (t) => {
    const { logs, place, left } = await open(t, TTL)
    const all = await nodes(t, logs, 2)
    const [one] = all as [Node, Node]
    const victim = await another(t, [...place, TTL])
    for (let i = 0; i < 50; i++) await subscribe(t, victim.origin, `/a?name=${i}`)
    await subscribe(t, one.origin, '/a?name=stays')
    await counted(all, 'a', 51)
    const began = performance.now()
    victim.child.kill('SIGKILL')
    t.equal(await one.app.connections.send({ id: 'x' }, 1, { timeout: 100 }).catch((err: { code: string }) => err.code), 'PST_ERR_SEND', 'who may have it does not answer')
    await counted(all, 'a', 1)
    const took = performance.now() - began
    t.ok(took < TTL * 1.5 + 500, `${took} ms`)
    for (const { app, told } of all) {
      t.same(told.filter((line) => line.startsWith('leave')).sort(), Array.from({ length: 50 }, (_, i) => `leave a ${i}`).sort())
      t.notOk(app.presence.nodes.includes(victim.id))
    }
    t.equal(await one.app.connections.send({ id: 'x' }, 1), false)
    const last = await another(t, [...place, TTL])
    await Promise.all(all.map(({ app }) => app.close()))
    last.child.kill('SIGKILL')
    for (const end = performance.now() + 8_000; performance.now() < end && (await left()).length !== 0;) await delay(20)
    t.same(await left(), [])
  })

  t.test('a node that stood still for long is absent meanwhile, and then there with all its members', async (t) => {
    const { logs, place } = await open(t, TTL)
    const all = await nodes(t, logs, 2)
    const sleeper = await another(t, [...place, TTL])
    await subscribe(t, sleeper.origin, '/a?name=ada')
    await subscribe(t, (all[0] as Node).origin, '/a?name=ben')
    await counted(all, 'a', 2)
    sleeper.child.kill('SIGSTOP')
    await counted(all, 'a', 1)
    sleeper.child.kill('SIGCONT')
    await counted(all, 'a', 2)
    for (const { app, told } of all) {
      t.ok(app.presence.nodes.includes(sleeper.id))
      t.same(told.filter((line) => line.endsWith('ada')), ['join a ada', 'leave a ada', 'join a ada'])
      t.same(told.filter((line) => line.endsWith('ben')), ['join a ben'], 'nothing befell the others')
    }
  })
}

export function engineFaults (t: Test, open: Open): void {
  const faults: Array<[what: string, befall: (victim: Victim) => Promise<unknown>]> = [
    ['is emptied', ({ empty }) => empty()],
    ['is killed, and starts empty', ({ restart }) => restart()],
    ['stands still for longer than a node may', async ({ suspend, resume }) => {
      suspend()
      await delay(TTL * 2)
      resume()
    }]
  ]
  for (const [what, befall] of faults) {
    t.test(`when the engine ${what}, nobody leaves, and what changes then is known everywhere`, async (t) => {
      const victim = await open(t, TTL)
      const all = await nodes(t, victim.logs, 3)
      const [one, other] = all as [Node, Node, Node]
      const witness = new Witness(one.app)
      for (const { origin } of all) await subscribe(t, origin, '/a')
      await counted(all, 'a', 3)
      const befalling = befall(victim)
      await subscribe(t, one.origin, '/a')
      await befalling
      ;(await witness.open()).close()
      await subscribe(t, other.origin, '/b')
      await counted(all, 'b', 1)
      await counted(all, 'a', 3)
      await delay(TTL * 1.5)   // in which the dead would be found
      for (const { told } of all) t.same(told.filter((line) => line.startsWith('leave')), ['leave a -'])
      const late = await node(t, await victim.logs())
      await acquainted([...all, late])
      await counted([late], 'a', 3)
      const { id } = await witness.open(1)
      t.equal(await late.app.connections.send({ id }, 'x'), true)
    })
  }

  t.test('while the engine is away, sends fail in time, unless the connection is here', async (t) => {
    const { logs, suspend, resume } = await open(t, TTL)
    const [one] = await nodes(t, logs, 2) as [Node, Node]
    const witness = new Witness(one.app)
    const client = await subscribe(t, one.origin, '/a?name=ada')
    const { id } = await witness.open()
    t.equal(await one.app.connections.send({ id: 'x' }, 1, { timeout: 8_000 }), false)
    suspend()
    const began = performance.now()
    t.equal(await one.app.connections.send({ id }, 'here'), true)
    await t.rejects(one.app.connections.send({ id: 'x' }, 1, { timeout: 300 }), { code: 'PST_ERR_SEND', message: /within 300 ms/ })
    await t.rejects(one.app.connections.send({ name: 'ada' }, 'by name', { timeout: 300 }), { code: 'PST_ERR_SEND' })
    t.ok(performance.now() - began < 1_500)
    await one.logged('the other nodes can not be heard')
    await t.rejects(one.app.connections.send({ id: 'x' }, 1), { code: 'PST_ERR_SEND', message: /not heard/ })
    resume()
    await one.logged('the other nodes are heard again')
    let found: boolean | null = null   // until the other one is back as well
    while (found === null) found = await one.app.connections.send({ id: 'x' }, 1, { timeout: 500 }).catch(() => null)
    t.equal(found, false)
    await client.count(2)
    t.same(client.data, ['here', 'by name'])
  })
}
