/** The client, whatever a server sends: it reads by the letter, fails by the book, waits before it asks again, and holds no more than it may. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { type ClientEvent, connect, type ConnectOptions, type StateDetail, type WebSocketLike } from '../../client/index.ts'
import { webSocket } from '../../client/websocket.ts'
import { until } from '../support/until.ts'
import { bodies, type Got, interpret } from './bodies.ts'
import { cases, SEED } from './cases.ts'

interface Life { events: Got[], lastEventId: string | undefined, states: string[], details: StateDetail[], error: unknown }

const ADDRESS = 'http://localhost/'
const MAX_DELAY = 2 ** 31 - 1

let escaped: unknown[] = []
const escape = (error: unknown) => { escaped.push(error) }
process.on('unhandledRejection', escape)
process.on('uncaughtException', escape)
t.teardown(() => {
  process.off('unhandledRejection', escape)
  process.off('uncaughtException', escape)
})

/** A stream from its opening until it is to wait or is closed, whichever comes first. */
async function live (options: ConnectOptions): Promise<Life> {
  const states: string[] = []
  const details: StateDetail[] = []
  const events: Got[] = []
  const stream = connect(ADDRESS, {
    heartbeatTimeout: 0,
    parse: (text) => text,
    ...options,
    onState: (state, detail) => {
      states.push(state)
      details.push(detail)
      if (state === 'waiting') queueMicrotask(() => { stream.close() })
    }
  })
  try {
    for await (const { event, data, id } of stream as AsyncIterable<ClientEvent<Record<string, string>>>) events.push({ event, data, id })
  } catch (error) {
    ok(stream.error === error)
  }
  return { events, lastEventId: stream.lastEventId, states, details, error: stream.error }
}

function checkDelays (details: readonly StateDetail[]): void {
  for (const { delay } of details) ok(delay === undefined || (Number.isInteger(delay) && delay >= 0 && delay <= MAX_DELAY), `a delay of ${delay} ms`)
}

function bodyOf (chunks: readonly Buffer[], end: 'close' | 'error'): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start (controller) {
      for (const chunk of chunks) controller.enqueue(new Uint8Array(chunk))
      if (end === 'close') controller.close()
    },
    pull (controller) { if (end === 'error') controller.error(new TypeError('cut')) }
  })
}

const headers = { 'content-type': 'text/event-stream' }

await t.test('an event stream of any bytes, in any pieces, is read by the letter', async (t) => {
  let events = 0
  await fc.assert(fc.asyncProperty(bodies, fc.constantFrom('close', 'error'), async (chunks, end) => {
    const life = await live({ fetch: async () => new Response(bodyOf(chunks, end as 'close'), { headers }) })
    const wanted = interpret(Buffer.concat(chunks))
    fc.pre((wanted.lastEventId ?? '').length < 1_000)   // more is kept of no id
    deepStrictEqual(life.events, wanted.events)
    strictEqual(life.lastEventId, wanted.lastEventId)
    deepStrictEqual(life.states, ['connecting', 'open', 'waiting', 'closed'])
    checkDelays(life.details)
    events += life.events.length
  }), { numRuns: cases(1_500), seed: SEED, endOnFailure: true })
  t.ok(events > cases(1_500) / 3, `${events} events`)
  t.same(escaped, [])
})

/** Says what it is told to, and closes. */
function fakeSocket (messages: readonly unknown[], close: { code: number, reason: string }): new (url: string) => WebSocketLike {
  return class implements WebSocketLike {
    binaryType = ''
    onopen: ((event: never) => void) | null = null
    onmessage: ((event: never) => void) | null = null
    onerror: ((event: never) => void) | null = null
    onclose: ((event: never) => void) | null = null

    constructor () {
      queueMicrotask(() => {
        this.onopen?.({} as never)
        try {
          for (const data of messages) this.onmessage?.({ data } as never)
        } catch (error) {
          escape(error)   // as an exception that nobody caught
        }
        this.onclose?.(close as never)
      })
    }

    close (): void {}
  }
}

await t.test('a WebSocket may say anything and close with anything', async (t) => {
  const odd = fc.constantFrom<unknown>(null, 0, -1, 1.5, 1e308, true, 'x', '', 'gap', '__proto__', 'a\nb\0', [], {}, { toString: null, valueOf: null }, [[[]]])
  const message = fc.oneof(
    fc.record({ id: odd, event: odd, retry: odd, data: odd }, { requiredKeys: [] }).map((message) => JSON.stringify(message)),
    fc.json(), fc.string({ unit: 'binary' }), fc.uint8Array().map((bytes) => bytes.buffer), fc.constantFrom('{"__proto__":{"data":1}}', '[', 'null', '{"retry":1e999}', '{"retry":-1e999,"id":"x"}'))
  const close = fc.record({ code: fc.oneof(fc.integer({ min: 1000, max: 1016 }), fc.nat(5_000)), reason: fc.string({ maxLength: 20 }) })
  let count = 0
  await fc.assert(fc.asyncProperty(fc.array(message, { maxLength: 10 }), close, fc.boolean(), async (messages, close, reopen) => {
    const life = await live({ transport: webSocket, WebSocket: fakeSocket(messages, close), reopen })
    deepStrictEqual([life.states[0], life.states[1], life.states.at(-1)], ['connecting', 'open', 'closed'])
    checkDelays(life.details)
    ok(life.error === undefined || (life.error as { code?: string }).code === 'PST_ERR_CUT')
    ok(life.events.every(({ event }) => typeof event === 'string'))
    count += life.events.length
  }), { numRuns: cases(1_500), seed: SEED, endOnFailure: true })
  t.ok(count > cases(1_500), `${count} events`)
  t.same(escaped, [])
})

await t.test('nobody is asked again and again at once, whatever the server says of the delay', async (t) => {
  t.intercept(Math, 'random', { value: () => 0.999 })
  await Promise.all(['retry: 0', 'retry: 1', 'retry: -5', 'retry: 00', `retry: ${'9'.repeat(30)}`, 'data: x', ''].map(async (said) => {
    const delays: number[] = []
    const stream = connect(ADDRESS, {
      retry: { delay: 1, attempts: 4, maxDelay: 400 },
      fetch: async () => new Response(bodyOf([Buffer.from(`${said}\n\n`)], 'close'), { headers }),
      onState: (_state, { delay }) => {
        if (delay === undefined) return
        delays.push(delay)
        if (delay > 1_000) stream.close()
      }
    })
    await until(() => stream.state === 'closed', `${said}: the stream gives up; it waited ${delays.join()}`)
    t.ok(delays.slice(1).every((delay) => delay >= 100) && delays.length > 0, `${said}: ${delays.join()} ms`)
  }))
})

/** A body without an end, and how much of it was taken. */
function endless (chunk: string): { body: ReadableStream<Uint8Array>, taken: () => number, isLeft: () => boolean } {
  const bytes = new TextEncoder().encode(chunk)
  let [taken, isLeft] = [0, false]
  const body = new ReadableStream<Uint8Array>({
    pull (controller) {
      taken += bytes.length
      controller.enqueue(bytes)
    },
    cancel () { isLeft = true }
  })
  return { body, taken: () => taken, isLeft: () => isLeft }
}

await t.test('of events that nobody reads no more is taken than may wait', async (t) => {
  const { body, taken } = endless('data: x\n\n'.repeat(10))
  const stream = connect(ADDRESS, { buffer: 20, fetch: async () => new Response(body, { headers }) })
  const events = stream[Symbol.asyncIterator]()
  for (let read = 0; read < 100; read++) await events.next()
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
  t.ok(taken() <= 160 * 9, `${taken()} bytes`)
  stream.close()
})

for (const [what, start, chunk] of [['a line', 'data: ', 'x'.repeat(2 ** 20)], ['the data of an event', '', `data: ${'x'.repeat(2 ** 20)}\n`]] as const) {
  await t.test(`${what} that has no end is too much some time, for good`, async (t) => {
    const { body, taken, isLeft } = endless(chunk)
    const first = new TextEncoder().encode(start)
    const whole = new ReadableStream<Uint8Array>({
      start (controller) { if (first.length !== 0) controller.enqueue(first) },
      async pull (controller) { controller.enqueue((await reader.read()).value as Uint8Array) },
      cancel: () => reader.cancel()
    })
    const reader = body.getReader()
    const life = await live({
      fetch: async (_url, init) => {
        init?.signal?.addEventListener('abort', () => { void reader.cancel() })
        return new Response(whole, { headers })
      }
    })
    t.same([(life.error as { code?: string }).code, life.events, life.states.at(-1)], ['PST_ERR_OVERFLOW', [], 'closed'])
    t.ok(taken() <= 2 ** 26 + 3 * 2 ** 20, `${taken()} bytes`)
    await until(isLeft, 'the server is left')
  })
}

/** A server that answers whatever comes with the next of these, and closes. */
async function serve (t: Test, answers: readonly Buffer[]): Promise<string> {
  let next = 0
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => { socket.end(answers[next++ % answers.length] as Buffer) })
  }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/`
}

await t.test('whatever comes in place of HTTP, the stream waits or is closed, and nothing escapes', async (t) => {
  const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  const status = fc.constantFrom('200 OK', '200', '204 x', '101 Switching Protocols', '301 x\r\nLocation: //', '302 x\r\nLocation: http://127.0.0.1:1/', '401 x', '429 x\r\nRetry-After: 99999999999999', '503 x\r\nRetry-After: -1', '999 x')
  const framing = fc.constantFrom('', 'Content-Length: 5', 'Content-Length: 99999', 'Transfer-Encoding: chunked', 'Content-Encoding: gzip', 'Content-Encoding: br\r\nTransfer-Encoding: chunked')
  const answers = fc.sample(fc.oneof({ weight: 1, arbitrary: noise }, {
    weight: 5,
    arbitrary: fc.tuple(status, fc.constantFrom('text/event-stream', 'TEXT/EVENT-STREAM; x', 'text/html', ''), framing, fc.oneof(noise, fc.constantFrom('5\r\nid: 1', '3\r\nid:\r\nzz\r\n', 'data: x\n\n', '0\r\n\r\n').map((text) => Buffer.from(text))))
      .map(([status, type, framing, body]) => Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n${framing}${framing === '' ? '' : '\r\n'}\r\n`), body]))
  }), { numRuns: cases(60), seed: SEED })
  const address = await serve(t, answers)
  let waited = 0
  await Promise.all(answers.map(async () => {
    const life = await live({ fetch: (_url, init) => fetch(address, init) })
    strictEqual(life.states.at(-1), 'closed')
    checkDelays(life.details)
    if (life.states.includes('waiting')) waited++
  }))
  t.ok(waited > answers.length / 4 && waited < answers.length, `${waited} of ${answers.length} would have been asked again`)
  t.same(escaped, [])
  escaped = []
})
