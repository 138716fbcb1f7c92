/** Clients that say nonsense of where they were: each is answered with 200 and told so once, and the server thinks nothing of it. */
import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { memoryLog, type PastelliOptions } from '../../index.ts'
import { type Server, type ServerOptions, start } from '../support/server.ts'
import { subscribe } from '../support/subscriber.ts'
import { Asker } from './asker.ts'
import { cases, SEED } from './cases.ts'
import { asked, requestOf } from './positions.ts'
import { faultOf } from './told.ts'

const EVENTS = ['one', 'two', 'three', 'four', 'five']

/** A stream that gives what its client missed, and ends. */
async function scene (t: Test, options: Omit<ServerOptions, 'pastelli'> = {}, own: PastelliOptions = {}): Promise<Server & { epoch: string, head: number, saw: () => string | null }> {
  const log = memoryLog()
  let lastEventId: string | null = null
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'a' }, (_request, reply) => {
      lastEventId = reply.connection.lastEventId
      reply.closeChunk()
    })
  }, { ...options, pastelli: { ...own, log } })
  for (const data of EVENTS) await server.app.topics.publish('a', data)
  return { ...server, epoch: log.epoch, head: log.head, saw: () => lastEventId }
}

await t.test('whatever is said in Last-Event-ID and lastEventId, there is one gap or the right replay', async (t) => {
  const { port, epoch, head, saw, lines, noise, app } = await scene(t)
  const requests = cases(3_000)
  const reasons: Record<string, number> = {}
  const asker = await Asker.open(port)
  t.teardown(() => { asker.close() })
  await fc.assert(fc.asyncProperty(asked({ epoch, head }), async (one) => {
    const answer = await asker.ask(requestOf(one))
    const lastEventId = saw()
    strictEqual(faultOf(one, answer, { epoch, head, events: EVENTS, lastEventId }), null)
    const kind = /"reason":"(\w+)"/.exec(answer.body.toString())?.[1] ?? (lastEventId === null ? 'none' : 'replay')
    reasons[kind] = (reasons[kind] ?? 0) + 1
  }), { numRuns: requests, seed: SEED, endOnFailure: true })
  t.comment(JSON.stringify(reasons))
  for (const reason of ['malformed', 'foreign', 'none', 'replay']) t.ok((reasons[reason] ?? 0) > requests / 200, `${reason}: ${reasons[reason] ?? 0}`)
  t.same(noise(), [], 'nothing above info is logged')
  t.equal(lines('stream closed').length, requests, 'and no more than one line each')
  t.equal(app.connections.size, 0)
})

await t.test('so it is over HTTP/2', async (t) => {
  const { origin, epoch, head, saw, noise } = await scene(t, { http2: true })
  const requests = fc.sample(asked({ epoch, head }), { numRuns: cases(100), seed: SEED })
  for (const one of requests) {
    const lastEventId = one.headers[0]?.trim() ?? ''
    const client = await subscribe(t, origin, `/${one.query}`, { protocol: 'http2', lastEventId, headers: { accept: one.accept } })
    await client.ended()
    client.leave()
    const body = Buffer.from(client.text)
    const asked = { ...one, headers: lastEventId === '' ? [] : [lastEventId] }
    const fault = faultOf(asked, { status: client.status, body } as never, { epoch, head, events: EVENTS, lastEventId: saw() })
    if (fault !== null) t.fail(fault, { asked })
  }
  t.ok(requests.length > 0, `${requests.length} requests`)
  t.same(noise(), [])
})

await t.test('whatever an app reads queries with, what is no text is no position', async (t) => {
  let given: unknown
  const { app, epoch, head, saw, noise } = await scene(t, { routerOptions: { querystringParser: () => ({ lastEventId: given }) } })
  const values = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant([`${epoch}:1`]), fc.object({ withNullPrototype: true, withBigInt: true, maxDepth: 2 }).map((value) => [value]), fc.constant({ toString: null, valueOf: null }))
  await fc.assert(fc.asyncProperty(values, async (value) => {
    given = value
    const { statusCode, body } = await app.inject('/?x')
    strictEqual(statusCode, 200)
    if (value === undefined || value === '') return
    deepStrictEqual([...body.matchAll(/"reason":"(\w+)"/g)].map(([, reason]) => reason), ['malformed'], `${saw() ?? 'null'} in ${epoch}:${head}`)
  }), { numRuns: cases(500), seed: SEED, endOnFailure: true })
  t.same(noise(), [])
})
