/**
 * Whatever a server sends reaches undici's EventSource as it was sent, or the sender was told why not.
 *
 * PASTELLI_FUZZ_SEED: which events are sent.
 */
import { once } from 'node:events'
import fc from 'fast-check'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import { EventSource, MessageEvent } from 'undici'
import type { EventOptions } from '../../index.ts'
import { start } from '../support/server.ts'
import { expected, isAllowed, type Seen, type Send, sends } from './arbitraries.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)
const CONNECTIONS = 5
const SEQUENCES = 250

// The last event of every connection. EventSource waits 3 s before it reconnects unless it is told to hurry.
const LAST: Send = { kind: 'event', data: 'done', options: { event: 'done', id: 'last one', retry: 1 } }
const DEFAULT_DELAY = 3_000

/** Keeps every event, also of types that nobody sent: a listener must know the type. */
class Recorder extends EventSource {
  readonly seen: Seen[] = []

  override dispatchEvent (event: Event): boolean {
    if (event instanceof MessageEvent) this.seen.push({ event: event.type, id: event.lastEventId, data: event.data })
    return super.dispatchEvent(event)
  }
}

/** What the reply did not take, with the code of its refusal. */
async function sendAll (reply: FastifyReply, sequence: Send[]): Promise<Array<[send: Send, code: unknown]>> {
  const refused: Array<[send: Send, code: unknown]> = []
  for (const send of sequence) {
    try {
      await (send.kind === 'comment' ? reply.connection.comment(send.text) : reply.event(send.data, send.options as EventOptions))
    } catch (error) {
      refused.push([send, (error as { code?: unknown }).code])
    }
  }
  return refused
}

t.test('an EventSource sees what was sent, and nothing else', async (t) => {
  t.comment(`PASTELLI_FUZZ_SEED=${SEED}`)
  let total = 0
  for (let index = 0; index < CONNECTIONS; index++) {
    const sequence = [...fc.sample(sends, { numRuns: SEQUENCES, seed: SEED + index }).flat(), LAST]
    const wanted = expected(sequence.filter(isAllowed))
    let refused: Array<[send: Send, code: unknown]> = []
    const { origin } = await start(t, (app) => {
      app.stream('/', async (_request, reply) => { refused = await sendAll(reply, sequence) })
    })
    const source = new Recorder(origin)
    await once(source, 'done')
    source.close()
    t.same(source.seen, wanted.seen, `${wanted.seen.length} events on connection ${index}`)
    t.same(refused.map(([send]) => send), sequence.filter((send) => !isAllowed(send)), `${refused.length} were refused`)
    t.ok(refused.every(([, code]) => String(code).startsWith('PST_ERR_')), 'with a code')
    total += wanted.seen.length
  }
  t.ok(total > 1_500, `${total} events in all`)
})

t.test('an EventSource comes back when it was told to, with the id it was told', async (t) => {
  let cameBack: (lastEventId: string) => void
  const back = new Promise<string>((resolve) => { cameBack = resolve })
  let ended = 0
  const { origin } = await start(t, (app) => {
    app.stream('/', async (_request, reply) => {
      const { lastEventId } = reply.connection
      if (lastEventId !== null) {
        cameBack(lastEventId)
        return reply.code(204).send()   // stops an EventSource
      }
      await sendAll(reply, [{ kind: 'event', data: 'x', options: { id: 'first', retry: 2 ** 31 - 1 } }, LAST])
      ended = performance.now()
      reply.closeChunk()
    })
  })
  const source = new Recorder(origin)
  t.teardown(() => { source.close() })
  t.equal(await back, 'last one', 'with the id of the last event')
  t.ok(performance.now() - ended < DEFAULT_DELAY, 'after the delay of the last event')
})
