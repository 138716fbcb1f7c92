/** `pastelli tail`, the command itself, on servers of Pastelli: what it prints. */
import t from 'tap'
import { event } from '../../index.ts'
import { run, runAtTerminal, WEB_SOCKETS } from '../support/command.ts'
import { startFeed } from '../support/feed.ts'
import { without } from '../support/programs.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'

// Many processes, one after the other, on a busy machine.
t.setTimeout(120_000)

const skip = without('TESTED AT A TERMINAL', ['script'], 'bsdutils')

t.test('an event is a line: its type, its id, its data as it came', async (t) => {
  const server = await startFeed(t)
  const tail = run(t, ['tail', `127.0.0.1:${server.port}`, '--count', '4'])
  await server.isHeard()
  const ids = [
    server.topics.publish('a', { big: 1.0 }),
    server.topics.publish('a', '12345678901234567890', { event: 'number' }),
    server.topics.publish('a', 'two\nlines'),
    server.topics.publish('a', 'ünïcödé \u001b[31m')
  ]
  t.equal(await tail.ends(), 0)
  t.same(tail.out, [
    `message  ${ids[0]}  {"big":1}`,
    `number  ${ids[1]}  12345678901234567890`,
    `message  ${ids[2]}  two`,
    '    lines',
    `message  ${ids[3]}  ünïcödé \u001b[31m`,
    ''
  ].join('\n'))
  t.equal(tail.err, '')
})

for (const path of ['', 'lines']) {
  await t.test(`--json prints an object a line, from ${path === '' ? 'an event stream' : 'lines of JSON'}, and no digit is lost`, async (t) => {
    const server = await startFeed(t)
    const tail = run(t, ['tail', `${server.origin}/${path}`, '--json', '-n', '3'])
    await server.isHeard()
    const ids = [
      server.topics.publish('a', { text: 'a "b"\n\u2028' }),
      server.topics.publish('a', 'text', { event: 'note' }),
      server.topics.publish('a', [1, null])
    ]
    t.equal(await tail.ends(), 0)
    t.same(tail.objects.map(({ event, id }) => ({ event, id })), ids.map((id, at) => ({ event: at === 1 ? 'note' : 'message', id })))
    t.same(tail.objects.map(({ data }) => data), [{ text: 'a "b"\n\u2028' }, 'text', [1, null]])
  })
}

t.test('what --json prints can\'t steer a terminal, and is the same text', async (t) => {
  const server = await startFeed(t)
  const tail = run(t, ['tail', server.origin, '--json', '-n', '2'])
  await server.isHeard()
  const hostile = '\u001b[2J\u009b2J\u007fé'
  server.topics.publish('a', hostile)
  server.topics.publish('a', { hostile })
  t.equal(await tail.ends(), 0)
  t.notMatch(tail.out, /[^\P{Cc}\n]/u)
  t.same(tail.objects.map(({ data }) => data), [hostile, { hostile }])
})

t.test('--since starts behind an event', async (t) => {
  const server = await startFeed(t)
  const ids = ['one', 'two', 'three'].map((data) => server.topics.publish('a', data) as string)
  const tail = run(t, ['tail', server.origin, '--since', ids[0] as string, '-n', '2'])
  t.equal(await tail.ends(), 0)
  t.same(tail.lines, [`message  ${ids[1]}  two`, `message  ${ids[2]}  three`])
})

t.test('a gap is told plainly, and does not count', async (t) => {
  const server = await startFeed(t)
  const last = server.topics.publish('a', 'before')
  const tail = run(t, ['tail', server.origin, '--since', 'other:17', '-n', '1'])
  const asJson = run(t, ['tail', server.origin, '--since', 'nonsense', '-n', '1', '--json'])
  await server.isHeard(2)
  const id = server.topics.publish('a', 'behind')
  t.equal(await tail.ends(), 0)
  t.same(tail.lines, [
    `gap: events behind other:17 are missing (the server's log is another one, as after a restart); it goes on behind ${last}`,
    `message  ${id}  behind`
  ])
  t.equal(await asJson.ends(), 0)
  t.same(asJson.objects, [
    { event: 'gap', id: last, data: { reason: 'malformed', from: null, to: last } },
    { event: 'message', id, data: 'behind' }
  ])
})

t.test('a gap of another server is an event like any other', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', async function * () {
      for (const data of ['text', 7, null, { reason: 'other' }]) yield event({ event: 'gap', data })
    })
  })
  const tail = run(t, ['tail', `${server.origin}/`, '-n', '4'])
  t.equal(await tail.ends(), 0)
  t.same(tail.lines, ['gap  -  text', 'gap  -  7', 'gap  -  null', 'gap  -  {"reason":"other"}'])
})

t.test('--verbose shows comments and answers, --timestamps when each came', async (t) => {
  const server = await startFeed(t)
  const before = new Date().toISOString()
  const tail = run(t, ['tail', server.origin, '-v', '-t'])
  const asJson = run(t, ['tail', server.origin, '--verbose', '--timestamps', '--json'])
  await server.isHeard(2)
  await tail.prints(3)
  await asJson.prints(3)
  server.topics.publish('a', 1)
  await until(() => /message/.test(tail.out) && /message/.test(asJson.out))
  tail.child.kill('SIGINT')
  asJson.child.kill('SIGINT')
  t.same([await tail.ends(), await asJson.ends()], [130, 130])
  for (const line of tail.lines) {
    t.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}(?::|message {2}\S+ {2}1)/)
    t.ok(line > before)
  }
  t.ok(asJson.objects.every(({ at, comment, data }) => typeof at === 'string' && at >= before && (typeof comment === 'string' || data === 1)))
  t.equal(tail.err, 'pastelli: 200 OK, text/event-stream; charset=utf-8\npastelli: open\n')
})

t.test('comments are shown behind the event that they stand in, and lines may end in any way', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      reply.chunk(': first\n\ndata: a\n: within\ndata: b\n\n')
      for (const part of [':cr\r', '\rdata: c\r\r', ':', 'crlf\r', '\n\r', '\ndata: d\r\n', '\r\n']) reply.chunk(part)
      reply.closeChunk()
    })
  })
  const tail = run(t, ['tail', server.origin, '-v', '--no-reconnect'])
  t.equal(await tail.ends(), 0)
  t.same(tail.lines, [': first', 'message  -  a', '    b', ': within', ':cr', 'message  -  c', ':crlf', 'message  -  d'])
})

t.test('lines of JSON of any server are events', async (t) => {
  const lines = [
    '{"n":12345678901234567890}', '', '"text"', '{"id":"1","data":2}', '{"event":"a","id":"2","data":{"b":"}"},"more":1}',
    '{"event":"x\\ny","data":1}', '{"event":"no\\q","data":1}', 'no json', '{"event":"\\"é\\"","id":"3","data":[]}'
  ]
  const server = await start(t, (app) => {
    app.get('/', (_request, reply) => reply.type('application/jsonl').send(lines.join('\n')))
  })
  const tail = run(t, ['tail', server.origin, '--no-reconnect'])
  t.equal(await tail.ends(), 0)
  t.same(tail.lines, [
    `message  -  ${lines[0]}`, 'message  -  "text"', 'message  1  2', `message  -  ${lines[4]}`,
    `message  -  ${lines[5]}`, `message  -  ${lines[6]}`, 'message  -  no json', '"é"  3  []'
  ], 'the last one, too, which has no end')
})

t.test('over a WebSocket whatever comes is printed', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', {
      websocket: {
        init (request, connection) {
          connection.chunk('text')
          connection.chunk(Buffer.from([1, 2, 3]))
          connection.event({ n: 1 }, { event: 'note', id: '7' })
          connection.event(request.headers['x-tag'] ?? 'nobody')
          connection.close()
        }
      }
    })
    app.get('/refused', { onRequest: async (_request, reply) => await reply.code(403).send() }, async () => '')
  })
  const origin = server.origin.replace('http', 'ws')
  const tail = run(t, ['tail', origin, '-H', 'X-Tag: it is me'], WEB_SOCKETS)
  t.equal(await tail.ends(), 0)
  t.same(tail.lines, ['message  -  text', 'message  -  (3 bytes)', 'note  7  {"n":1}', 'message  -  it is me'])
  const asJson = run(t, ['tail', origin, '--json'], WEB_SOCKETS)
  t.equal(await asJson.ends(), 0)
  t.same(asJson.objects, [
    { event: 'message', data: 'text' },
    { event: 'message', data: { base64: 'AQID' } },
    { event: 'note', id: '7', data: { n: 1 } },
    { event: 'message', data: 'nobody' }
  ])
  const refused = run(t, ['tail', `${origin}/refused`], WEB_SOCKETS)
  t.equal(await refused.ends(), 1)
  t.equal(refused.err, 'pastelli: no WebSocket there, or it was cut\n')
})

t.test('at a terminal it has colours, and what comes can\'t steer it', { skip }, async (t) => {
  const server = await startFeed(t)
  const hostile = 'a\u001b]0;title\u0007\tb'
  const ids = [server.topics.publish('a', 'first'), server.topics.publish('a', hostile)]
  const args = ['tail', server.origin, '--since', ids[0] as string, '-n', '1']
  const coloured = runAtTerminal(t, args)
  t.equal(await coloured.ends(), 0)
  t.equal(coloured.out, `\u001b[36mmessage\u001b[39m  \u001b[90m${ids[1]}\u001b[39m  a\\x1b]0;title\\x07\tb\r\n`)
  const plain = runAtTerminal(t, args, { NO_COLOR: '1' })
  t.equal(await plain.ends(), 0)
  t.equal(plain.out, `message  ${ids[1]}  a\\x1b]0;title\\x07\tb\r\n`)
})
