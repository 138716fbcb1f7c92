/** Whatever is sent over a connection comes out of any format, compressed or not and in any pieces, as it went in; or the sender was told why not. */
import http, { type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import type { EventOptions } from '../../index.ts'
import { decoded } from '../support/decode.ts'
import { EventReader } from '../support/event-reader.ts'
import { start } from '../support/server.ts'
import { expected, isAllowed, type Send, sends } from '../wire/arbitraries.ts'
import { pieces } from './bodies.ts'
import { cases, SEED } from './cases.ts'

type Event = Extract<Send, { kind: 'event' }>

async function sendAll (reply: FastifyReply, sequence: readonly Send[]): Promise<Array<[send: Send, code: string]>> {
  const refused: Array<[send: Send, code: string]> = []
  for (const send of sequence) {
    try {
      await (send.kind === 'comment' ? reply.connection.comment(send.text) : reply.event(send.data, send.options as EventOptions))
    } catch (error) {
      refused.push([send, String((error as { code?: unknown }).code)])
    }
  }
  reply.closeChunk()
  return refused
}

/** The body as it came, cut at these places on its way to who undoes its coding. */
async function bodyOf (origin: string, accept: string, coding: string, cuts: readonly number[]): Promise<Buffer[]> {
  const [response] = await once(http.get(origin, { agent: false, headers: { accept, 'accept-encoding': coding } }), 'response') as [IncomingMessage]
  const raw = new PassThrough()
  const text = decoded(raw, response.headers['content-encoding'])
  for (const piece of pieces(Buffer.concat(await response.toArray() as Buffer[]), cuts)) raw.write(piece)
  raw.end()
  return await text.toArray() as Buffer[]
}

function lineOf ({ data, options: { event, id } }: Event): string {
  const value: unknown = typeof data === 'string' ? data : JSON.parse(JSON.stringify(data))
  if (event === undefined && id === undefined) return JSON.stringify(value)
  return JSON.stringify({ ...event !== undefined && { event }, ...id !== undefined && { id: String(id) }, data: value })
}

await t.test('over a connection, every format has what was sent, and nothing of what was refused', async (t) => {
  let sequence: readonly Send[] = []
  let refused: Array<[send: Send, code: string]> = []
  const { origin } = await start(t, (app) => {
    app.stream('/', async (_request, reply) => { refused = await sendAll(reply, sequence) })
  }, { pastelli: { compression: ['gzip', 'br'] } })
  let total = 0
  for (let round = 0; round < cases(12); round++) {
    sequence = fc.sample(sends, { numRuns: 60, seed: SEED + round }).flat()
    const cuts = fc.sample(fc.nat(), { numRuns: 40, seed: SEED + round })
    const events = sequence.filter((send): send is Event => send.kind === 'event' && isAllowed(send))
    const coding = ['identity', 'gzip', 'br'][round % 3] as string
    const reader = new EventReader()
    for (const piece of await bodyOf(origin, 'text/event-stream', coding, cuts)) reader.feed(piece)
    t.same(reader.events.map(({ event, data }) => [event, data]), expected(events).seen.map(({ event, data }) => [event, data]), `an event stream, ${coding}`)
    t.same(refused.map(([send]) => send), sequence.filter((send) => !isAllowed(send)), `${refused.length} were refused`)
    t.ok(refused.every(([, code]) => code.startsWith('PST_ERR_')), 'with a code')
    const lines = Buffer.concat(await bodyOf(origin, 'application/x-ndjson', coding, cuts)).toString()
    t.same(lines.split(/\r\n|[\n\r\u0085\u2028\u2029]/).slice(0, -1).map((line) => JSON.stringify(JSON.parse(line))), events.map((event) => JSON.stringify(JSON.parse(lineOf(event)))), 'lines of JSON')
    const text = Buffer.concat(await bodyOf(origin, 'text/plain', coding, cuts)).toString()
    t.equal(text, events.map(({ data }) => typeof data === 'string' ? data : `${JSON.stringify(data)}\n`).join(''), 'text')
    total += events.length
  }
  t.ok(total > cases(12) * 60, `${total} events in each`)
})
