/** Whatever a generator yields comes out of every format as it went in, by parsers that are not ours. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import fc from 'fast-check'
import t from 'tap'
import { EventSource, fetch, MessageEvent } from 'undici'
import { event } from '../../index.ts'
import type { StreamEventFields } from '../../lib/wire/stream-event.ts'
import { cases, SEED } from '../fuzz/cases.ts'
import { start } from '../support/server.ts'
import { arrives, expected, isAllowed, type Send, sends } from '../wire/arbitraries.ts'

const RUNS = cases(400)

// What is allowed, as an item; a payload where it has no fields, and sometimes where it could have.
const sequences = sends.map((sequence) => sequence.filter(isAllowed))

function toItem (send: Send): unknown {
  if (send.kind === 'comment') return event({ comment: send.text })
  const { data, options } = send
  return Object.keys(options).length === 0 ? data : event({ ...options as StreamEventFields, data })
}

/** What a line says. */
function toLine (send: Send & { kind: 'event' }): unknown {
  const { data, options: { event, id } } = send
  const value: unknown = JSON.parse(JSON.stringify(data))
  if (event === undefined && id === undefined) return value
  return { ...event !== undefined && { event }, ...id !== undefined && { id: String(id) }, data: value }
}

t.test('what is yielded is what comes out', async (t) => {
  let items: unknown[] = []
  let isSlow = false
  const { origin, noise } = await start(t, (app) => {
    app.stream('/', async function * () {
      for (const item of items) {
        if (isSlow) await new Promise(setImmediate)
        yield item
      }
    })
  })
  let events = 0
  await fc.assert(fc.asyncProperty(sequences, fc.boolean(), async (sequence, slowly) => {
    items = sequence.map(toItem)
    isSlow = slowly
    const sent = sequence.filter((send) => send.kind === 'event')
    events += sent.length

    const stream = await fetch(origin, { headers: { accept: 'text/event-stream' } })
    let id = ''
    const seen = []
    for await (const message of stream.body!.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()) as unknown as AsyncIterable<{ event?: string, id?: string, data: string }>) {
      id = message.id ?? id
      seen.push({ event: message.event ?? 'message', id, data: message.data })
    }
    deepStrictEqual(seen, expected(sequence).seen)

    const lines = []
    const response = await fetch(origin, { headers: { accept: 'application/x-ndjson' } })
    for await (const line of createInterface(Readable.fromWeb(response.body as never))) lines.push(JSON.parse(line))
    deepStrictEqual(lines, sent.map(toLine))

    const json = await fetch(origin, { headers: { accept: 'application/json' } })
    deepStrictEqual(await json.json(), sent.map(toLine))

    const text = await fetch(origin, { headers: { accept: 'text/plain' } })
    const bytes = Buffer.from(await text.arrayBuffer())
    strictEqual(bytes.toString(), sent.map(({ data }) => typeof data === 'string' ? data : arrives(data) + '\n').join(''))
  }), { numRuns: RUNS, seed: SEED })
  t.comment(`${events} events`)
  t.ok(events > RUNS, 'most of it were events')
  t.same(noise(), [])
})

t.test('an EventSource reads a generator, and resumes it where it says that it was', async (t) => {
  const { origin } = await start(t, (app) => {
    app.stream('/', async function * (_request, { connection }) {
      const begin = Number(connection.lastEventId ?? 0)
      for (let id = begin + 1; id <= begin + 2 && id <= 6; id++) yield event({ id, data: `number ${id}`, retry: 1 })
      if (begin === 6) yield event({ event: 'done' })
    })
  })
  const source = new EventSource(origin)
  t.teardown(() => { source.close() })
  const seen: string[] = []
  source.addEventListener('message', (message) => { if (message instanceof MessageEvent) seen.push(message.data) })
  await once(source, 'done')
  source.close()
  t.same(seen, [1, 2, 3, 4, 5, 6].map((id) => `number ${id}`))
})
