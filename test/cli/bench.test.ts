/** `pastelli bench`, the command itself, on servers of Pastelli: whether its figures are right, and what it ends with. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { event } from '../../index.ts'
import { run, runAtTerminal, runInShell } from '../support/command.ts'
import { freePort } from '../support/free-port.ts'
import { without } from '../support/programs.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

// Many processes, one after the other, on a busy machine.
t.setTimeout(120_000)

const skip = without('TESTED AT A TERMINAL', ['script'], 'bsdutils')

/** A server that publishes an event every 20 ms while somebody listens. */
async function startFeed (t: Test) {
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'a' })
    app.stream('/lines', { topics: 'a', formats: ['ndjson'] })
    app.stream('/few', { topics: 'a', maxConnections: 5 })
    app.get('/gzip', (_request, reply) => reply.headers({ 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }).send(gzipSync('data: 1\n\n')))
    app.get('/page', (_request, reply) => reply.type('text/html').send('<p>'))
    app.stream('/answer', { method: 'POST' }, async function * (request) {
      yield request.body
      yield event({ event: 'gap', data: { reason: 'trimmed', from: null, to: 'a:1' } })
    })
    app.get('/silent', () => new Promise(() => {}))
  }, { pastelli: { maxConnections: 250 } })
  const published = { count: 0 }
  const timer = setInterval(() => {
    if (server.app.topics.subscribers('a') === 0) return
    server.app.topics.publish('a', { n: published.count++, meta: { sentAt: Date.now() } })
  }, 20)
  t.teardown(() => { clearInterval(timer) })
  return { ...server, published }
}

for (const path of ['', 'lines']) {
  await t.test(`the figures of 200 connections to ${path === '' ? 'an event stream' : 'lines of JSON'} agree with one another and with the server's`, async (t) => {
    const server = await startFeed(t)
    const witness = new Witness(server.app)
    const bench = run(t, ['bench', `${server.origin}/${path}`, '-c', '200', '-d', '1', '--json'])
    t.equal(await bench.ends(), 0)
    t.equal(bench.err, '')
    const [figures] = bench.objects as [Record<string, never>]
    const { seconds, events, bytes, head, spread } = figures as unknown as Record<string, never> & { seconds: number, events: Rate, bytes: Rate, head: Times, spread: Times }
    t.match(figures, {
      url: `${server.origin}/${path}`,
      connections: { wanted: 200, opened: 200, refused: 0, lost: 0 },
      refusals: {},
      losses: {},
      gaps: 0,
      latency: null,
      early: 0
    })
    await until(() => witness.closed.length === 200)
    t.equal(witness.opened.length, 200)
    t.ok(seconds >= 1 && seconds < 5, `${seconds} s`)
    t.ok(events.count >= 200 && events.count <= server.published.count * 200, `${events.count} events of ${server.published.count} × 200`)
    t.ok(Math.abs(events.perSecond * seconds - events.count) < 1 + events.count / 500)
    t.ok(bytes.count >= events.count * 40 && bytes.count < events.count * 200, `${bytes.count} bytes`)
    t.equal(head.count, 200)
    t.ok(spread.count > 0 && spread.count <= server.published.count)
    for (const times of [head, spread]) {
      const { min, p50, p90, p99, max, mean } = times
      const rising = [0, min, p50, p90, p99, times['p99.9'], max]
      t.same(rising, rising.toSorted((a, b) => a - b))
      t.ok(mean >= min && mean <= max)
    }
    t.ok(spread.max <= seconds * 1_000)
  })
}

interface Rate { count: number, perSecond: number }
interface Times { count: number, min: number, mean: number, p50: number, p90: number, p99: number, 'p99.9': number, max: number }

t.test('latency is measured from the time that an event has in it', async (t) => {
  const server = await startFeed(t)
  const bench = run(t, ['bench', server.origin, '-c', '20', '-d', '0.5', '--at', 'meta.sentAt', '--json'])
  t.equal(await bench.ends(), 0)
  const [{ events, latency, spread }] = bench.objects as unknown as [{ events: Rate, latency: Times, spread: null }]
  t.equal(spread, null)
  t.equal(latency.count, events.count)
  t.ok(latency.max < 5_000)
})

t.test('people get a table, with what is slow as long bars', async (t) => {
  const server = await startFeed(t)
  const bench = run(t, ['bench', server.origin, '-c', '20', '-d', '0.5', '--at', 'meta.sentAt'])
  t.equal(await bench.ends(), 0)
  t.match(bench.out, new RegExp([
    `^${server.origin}/\n`,
    'connections {2}20 opened, 0 refused, 0 lost',
    'answered {5}half within [\\d.]+ ms, 99 % within [\\d.]+ ms, all within [\\d.]+ ms',
    'events {7}[\\d,]+ in 0\\.\\d s, [\\d,]+ a second(?:; [\\d,]+ before, while connections were opened)?',
    'bytes {8}[\\d,]+ k?B, [\\d,]+ k?B a second',
    'gaps {9}0\n',
    'latency of [\\d,]+ events, from their publication to a client',
    '     50 % +[\\d.]+ ms {2}█+',
    '     90 % +[\\d.]+ ms {2}█+',
    '     99 % +[\\d.]+ ms {2}█+',
    '   99\\.9 % +[\\d.]+ ms {2}█+',
    '      all +[\\d.]+ ms {2}█{30}\n$'
  ].join('\n')))
  const spread = run(t, ['bench', server.origin, '-c', '20', '-d', '0.5'])
  t.equal(await spread.ends(), 0)
  t.match(spread.out, /^fan-out spread of \d+ events, from the first client to the last$/m)
})

t.test('clocks that differ are told, and times that are not there', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', async function * (request, reply) {
      yield 'text'
      yield { at: 'noon' }
      yield { at: Date.now() + 60_000 }
      while (!reply.connection.signal.aborted) {
        await new Promise((resolve) => { setTimeout(resolve, 10) })
        yield { at: Date.now() + 60_000 }
      }
    })
    app.stream('/plain', async function * (request, reply) {
      while (!reply.connection.signal.aborted) {
        await new Promise((resolve) => { setTimeout(resolve, 10) })
        yield 'no id'
        yield '{}'
      }
    })
  })
  const early = run(t, ['bench', server.origin, '-c', '2', '-d', '0.3', '--at', 'at'])
  t.equal(await early.ends(), 0)
  t.match(early.out, /^\d+ came before they were published: the clocks differ$/m)
  const timeless = run(t, ['bench', `${server.origin}/plain`, '-c', '2', '-d', '0.3', '--at', 'a.b.c'])
  t.equal(await timeless.ends(), 0)
  t.match(timeless.out, /^no latency: no event has the field of --at, a number$/m)
  const nameless = run(t, ['bench', `${server.origin}/plain`, '-c', '2', '-d', '0.3'])
  t.equal(await nameless.ends(), 0)
  t.match(nameless.out, /^no latency: give --at, or ids to the events$/m)
})

t.test('who is refused is counted, by reason', async (t) => {
  const server = await startFeed(t)
  const few = run(t, ['bench', `${server.origin}/few`, '-c', '8', '-d', '0.2'])
  t.equal(await few.ends(), 0)
  t.match(few.out, /^connections {2}5 opened, 3 refused, 0 lost\n {2}refused {4}3: 503 Service Unavailable$/m)
  const page = run(t, ['bench', `${server.origin}/page`, '-c', '2', '-d', '0.2'])
  t.equal(await page.ends(), 1)
  t.match(page.out, /^connections {2}0 opened, 2 refused, 0 lost\n {2}refused {4}2: text\/html\nanswered {5}-$/m)
  const gzip = run(t, ['bench', `${server.origin}/gzip`, '-c', '2', '-d', '0.2'])
  t.equal(await gzip.ends(), 1)
  t.match(gzip.out, /^ {2}refused {4}2: compressed by gzip, which is not read$/m)
  const other = createServer((socket) => { socket.end('220 mail.example\r\n') }).listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const mail = run(t, ['bench', `127.0.0.1:${(other.address() as AddressInfo).port}`, '-c', '2'])
  t.equal(await mail.ends(), 1)
  t.match(mail.out, /^ {2}refused {4}2: it is no answer of HTTP$/m)
  const nobody = run(t, ['bench', `localhost:${await freePort()}`, '-c', '2', '--json'])
  t.equal(await nobody.ends(), 1)
  t.match(nobody.objects, [{ refusals: { ECONNREFUSED: 2 }, head: null, spread: null }])
})

t.test('who does not answer in time is refused, and the rest is not asked for', async (t) => {
  const server = await startFeed(t)
  const bench = run(t, ['bench', `${server.origin}/silent`, '-c', '120', '--ramp', '0.3'])
  t.equal(await bench.ends(), 1)
  t.match(bench.out, /^connections {2}0 opened, 100 refused, 0 lost, 20 not asked for \(--ramp gives it more time\)\n {2}refused {4}100: no answer in time$/m)
})

t.test('a host that is not there is said so', async (t) => {
  const bench = run(t, ['bench', 'http://no-such-host.invalid/'])
  t.equal(await bench.ends(), 1)
  t.match(bench.err, /^pastelli: (?:no such host|the host can't be looked up now)\n$/)
})

t.test('streams that end are lost, and when none is left it ends early; a body is sent, gaps are counted', async (t) => {
  const server = await startFeed(t)
  const bench = run(t, ['bench', `${server.origin}/answer`, '-c', '10', '-d', '60', '--data', '{"a":1}'])
  t.equal(await bench.ends(), 0)
  t.match(bench.out, /^connections {2}10 opened, 0 refused, 10 lost\n {2}lost {7}10: the server has ended the stream$/m)
  t.match(bench.out, /^events {7}\d+ in \d+\.\d s, [\d,]+ a second; \d+ before, while connections were opened$/m)
  t.match(bench.out, /^gaps {9}10$/m)
})

t.test('connections that are cut are lost', async (t) => {
  const server = await startFeed(t)
  const witness = new Witness(server.app)
  const bench = run(t, ['bench', server.origin, '-c', '10', '-d', '60', '--json'])
  await until(() => witness.opened.length === 10)
  for (const connection of server.app.connections) connection.destroy()
  t.equal(await bench.ends(), 0)
  t.match(bench.objects, [{ connections: { opened: 10, lost: 10 }, losses: { ECONNRESET: 10 } }])
})

t.test('Ctrl-C ends it early, with the figures so far', async (t) => {
  const server = await startFeed(t)
  const witness = new Witness(server.app)
  const bench = run(t, ['bench', server.origin, '-c', '10', '-d', '60'])
  await until(() => witness.opened.length === 10)
  bench.child.kill('SIGINT')
  t.equal(await bench.ends(), 130)
  t.match(bench.out, /^connections {2}10 opened, 0 refused, 0 lost$/m)
})

t.test('over TLS it trusts whom Node does', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) }, { tls: true })
  const stranger = run(t, ['bench', server.origin, '-c', '2', '-d', '0.2'])
  t.equal(await stranger.ends(), 1)
  t.match(stranger.out, /^ {2}refused {4}2: the certificate is self-signed \(NODE_EXTRA_CA_CERTS=file\.pem trusts it\)$/m)
  const certificate = fileURLToPath(new URL('../../../test/support/fixtures/cert.pem', import.meta.url))
  const known = runInShell(t, `$pastelli bench ${server.origin} -c 5 -d 0.2`, { NODE_EXTRA_CA_CERTS: certificate })
  t.equal(await known.ends(), 0)
  t.match(known.out, /^connections {2}5 opened, 0 refused, 0 lost$/m)
})

t.test('more connections than there are file descriptors are not even tried', { skip: process.platform === 'win32' }, async (t) => {
  const server = await startFeed(t)
  const bench = runInShell(t, `ulimit -n 100; $pastelli bench ${server.origin} -c 200`)
  t.equal(await bench.ends(), 1)
  t.equal(bench.err, 'pastelli: 200 connections take about 250 file descriptors, and this process may have 100: ulimit -n 250\n')
  t.equal(bench.out, '')
})

t.test('at a terminal there is a bar, which goes away', { skip }, async (t) => {
  const server = await startFeed(t)
  const bench = runAtTerminal(t, ['bench', server.origin, '-c', '20', '-d', '0.5'])
  t.equal(await bench.ends(), 0)
  t.match(bench.out, /opening {4}█+ {2}20 of 20/)
  t.match(bench.out, /measuring {2}█+░* {2}[\d,]+ events\/s/)
  t.match(bench.out, /\u001b\[2K\S*\/\r\n\r\nconnections {2}20 opened/)   // eslint-disable-line no-control-regex
})
