/** `pastelli tail`, the command itself, on servers of Pastelli: how it asks, comes back, and what it ends with. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { memoryLog } from '../../index.ts'
import { run, runInShell, WEB_SOCKETS } from '../support/command.ts'
import { startFeed } from '../support/feed.ts'
import { freePort } from '../support/free-port.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'

const COUNTING = fileURLToPath(new URL('../support/fixtures/counting-server.js', import.meta.url))

/** Publishes 0, 1, 2 … in a process of its own. */
async function spawnCounting (t: Test, port: number): Promise<{ kill: () => Promise<void> }> {
  const child = spawn(process.execPath, [COUNTING, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  t.teardown(() => { child.kill('SIGKILL') })
  await once(createInterface(child.stdout), 'line')
  return {
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    }
  }
}

for (const [name, path, flags] of [['an event stream', '/', []], ['lines of JSON', '/lines', []], ['a WebSocket', '/', WEB_SOCKETS]] as const) {
  await t.test(`a server that dies and comes back with its log costs no event of ${name}, and doubles none`, async (t) => {
    const log = memoryLog()
    const port = await freePort()
    const first = await startFeed(t, { log, port })
    const tail = run(t, ['tail', `${name === 'a WebSocket' ? 'ws' : 'http'}://127.0.0.1:${port}${path}`, '-n', '30', '--json'], [...flags])
    await first.isHeard()
    for (let n = 0; n < 10; n++) first.topics.publish('a', n)
    await tail.prints(10)
    for (const connection of first.app.connections) connection.destroy()
    await first.app.close()
    for (let n = 10; n < 20; n++) await log.append({ topic: 'a', data: String(n), json: true })
    await tail.says(/asking again in/)
    const second = await startFeed(t, { log, port })
    await second.isHeard()
    for (let n = 20; n < 30; n++) second.topics.publish('a', n)
    t.equal(await tail.ends(), 0)
    t.same(tail.objects.map(({ data }) => data), Array.from({ length: 30 }, (_, n) => n))
    t.match(tail.err, /^pastelli: .+; asking again in \d+\.\d s$/m)
    t.match(tail.err, /^pastelli: open again, behind \S+:10$/m)
  })
}

t.test('a server that is killed and starts with another log tells the gap', async (t) => {
  const port = await freePort()
  const first = await spawnCounting(t, port)
  const tail = run(t, ['tail', `http://127.0.0.1:${port}/`])
  await tail.prints(3)
  await first.kill()
  await tail.says(/connection (?:was cut|reset|refused)/)
  await spawnCounting(t, port)
  await tail.says(/open again, behind/)
  await until(() => /^gap: events behind \S+ are missing .*restart.*\nmessage {2}\S+ {2}0\n/m.test(tail.out), 'the gap is printed')
  tail.child.kill('SIGINT')
  t.equal(await tail.ends(), 130)
})

t.test('a stream that the server ends is asked for again, unless --no-reconnect', async (t) => {
  let asked = 0
  const server = await start(t, (app) => {
    app.stream('/', { retry: 1 }, async function * () { yield `answer ${++asked}` })
  })
  const tail = run(t, ['tail', server.origin, '-n', '2'])
  t.equal(await tail.ends(), 0)
  t.same(tail.lines, ['message  -  answer 1', 'message  -  answer 2'])
  t.match(tail.err, /^pastelli: the server has ended the stream; asking again in 0\.\d s\npastelli: open again\n$/)
  const once = run(t, ['tail', server.origin, '--no-reconnect'])
  t.equal(await once.ends(), 0)
  t.same(once.lines, ['message  -  answer 3'])
  t.equal(once.err, '')
})

t.test('with --no-reconnect a cut is a failure', async (t) => {
  const server = await startFeed(t)
  const tail = run(t, ['tail', server.origin, '--no-reconnect'])
  await server.isHeard()
  server.topics.publish('a', 1)
  await tail.prints(1)
  for (const connection of server.app.connections) connection.destroy()
  t.equal(await tail.ends(), 1)
  t.match(tail.err, /^pastelli: .*(?:cut|reset)\n$/)
})

t.test('204 ends it for good', async (t) => {
  const server = await start(t, (app) => { app.get('/', (_request, reply) => reply.code(204).send()) })
  const tail = run(t, ['tail', server.origin])
  t.equal(await tail.ends(), 0)
  t.equal(tail.out + tail.err, '')
})

t.test('a refusal is told with its status and what the server says, and exits with 1', async (t) => {
  const server = await start(t, (app) => {
    app.addHook('onRequest', async (request, reply) => {
      if (request.headers.authorization !== 'Basic YWRhOnBhw59z') return await reply.code(401).send(request.headers.authorization ?? 'Who are you?')
    })
    app.stream('/', async function * (request) { yield request.headers['x-tag'] })
    app.get('/page', (_request, reply) => reply.type('text/html').send('<p>'))
    app.get('/empty', (_request, reply) => reply.code(404).send())
  })
  const refused = run(t, ['tail', server.origin])
  t.equal(await refused.ends(), 1)
  t.equal(refused.err, 'pastelli: refused with 401 Unauthorized: Who are you?\n')
  t.equal(refused.out, '')
  const own = run(t, ['tail', server.origin.replace('//', '//ada:pa%C3%9Fs@'), '-n', '1', '-H', 'X-Tag: one', '--header', 'x-tag:two'])
  t.equal(await own.ends(), 0, 'with what the URL has')
  t.same(own.lines, ['message  -  one, two'])
  const given = run(t, ['tail', server.origin.replace('//', '//ada:pa%C3%9Fs@'), '-H', 'authorization: mine'])
  t.equal(await given.ends(), 1, 'a header that is given counts more')
  t.match(given.err, /: mine\n$/)
  const page = run(t, ['tail', `${server.origin.replace('//', '//ada:pa%C3%9Fs@')}/page`])
  t.equal(await page.ends(), 1)
  t.match(page.err, /answered with text\/html$/m)
  const empty = run(t, ['tail', `${server.origin.replace('//', '//ada:pa%C3%9Fs@')}/empty`])
  t.equal(await empty.ends(), 1)
  t.equal(empty.err, 'pastelli: refused with 404 Not Found\n')
})

t.test('nobody there is a failure, with --wait only until there is somebody', async (t) => {
  const port = await freePort()
  const alone = run(t, ['tail', `http://127.0.0.1:${port}/`])
  t.equal(await alone.ends(), 1)
  t.equal(alone.err, 'pastelli: connection refused\n')
  const waiting = run(t, ['tail', `http://127.0.0.1:${port}/`, '--wait', '-n', '1'])
  await waiting.says(/connection refused; asking again in/)
  const server = await startFeed(t, { port })
  await server.isHeard()
  server.topics.publish('a', 'here')
  t.equal(await waiting.ends(), 0)
  t.match(waiting.lines, [/here$/])
})

t.test('a host that is not there is said so, also by a name with several addresses', async (t) => {
  const port = await freePort()
  const local = run(t, ['tail', `http://localhost:${port}/`])
  t.equal(await local.ends(), 1)
  t.equal(local.err, 'pastelli: connection refused\n')
  const blocked = run(t, ['tail', 'http://127.0.0.1:1/'])
  t.equal(await blocked.ends(), 1)
  t.equal(blocked.err, 'pastelli: bad port\n', 'what there are no words of our own for')
})

t.test('a body is posted, from the line, a file or stdin', async (t) => {
  const server = await start(t, (app) => {
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, async (_request: unknown, body: string) => body)
    app.stream('/', { method: ['POST', 'PUT'] }, async function * (request) { yield { method: request.method, type: request.headers['content-type'], body: request.body } })
  })
  const file = `${t.testdir({ 'question.json': '{"from":"file"}' })}/question.json`
  const runs = [
    run(t, ['tail', server.origin, '-d', '{"from":"line"}']),
    run(t, ['tail', server.origin, '-d', `@${file}`, '-X', 'put']),
    runInShell(t, `echo '{"from":"stdin"}' | $pastelli tail ${server.origin} --data -`),
    run(t, ['tail', server.origin, '-d', 'a=1']),
    run(t, ['tail', server.origin, '-d', '"typed"', '-H', 'Content-Type: application/json; charset=utf-8'])
  ]
  for (const tail of runs) t.equal(await tail.ends(), 0, 'it ends with the answer')
  t.same(runs.map(({ out }) => JSON.parse(out.split('  ')[2] as string)), [
    { method: 'POST', type: 'application/json', body: { from: 'line' } },
    { method: 'PUT', type: 'application/json', body: { from: 'file' } },
    { method: 'POST', type: 'application/json', body: { from: 'stdin' } },
    { method: 'POST', type: 'application/x-www-form-urlencoded', body: 'a=1' },
    { method: 'POST', type: 'application/json; charset=utf-8', body: 'typed' }
  ])
})

t.test('silence is noticed', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { heartbeat: 0 }, () => {}) })
  const tail = run(t, ['tail', server.origin, '--heartbeat-timeout', '0.2'])
  await tail.says(/^pastelli: nothing has come for too long; asking again in/m)
  tail.child.kill('SIGINT')
  t.equal(await tail.ends(), 130)
})

t.test('lines of JSON have no heartbeats: their silence says nothing', async (t) => {
  const server = await startFeed(t)
  const tail = run(t, ['tail', `${server.origin}/lines`, '--heartbeat-timeout', '1.5', '-n', '1'])
  await server.isHeard()
  const began = performance.now()
  await until(() => performance.now() - began > 2_500)
  server.topics.publish('a', 'late')
  t.equal(await tail.ends(), 0)
  t.equal(tail.err, '')
})

t.test('who reads no further ends it quietly', async (t) => {
  const server = await startFeed(t)
  const pipe = runInShell(t, `$pastelli tail ${server.origin} | head -1; echo \${PIPESTATUS[0]}`)
  await server.isHeard()
  const timer = setInterval(() => { server.topics.publish('a', 'x'.repeat(1_000)) }, 5)
  t.teardown(() => { clearInterval(timer) })
  t.equal(await pipe.ends(), 0)
  t.match(pipe.lines, [/^message /, /^0$/])
  t.equal(pipe.err, '')
})

t.test('a disk that is full is told', { skip: process.platform !== 'linux' }, async (t) => {
  const server = await startFeed(t)
  const full = runInShell(t, `$pastelli tail ${server.origin} >/dev/full`)
  await server.isHeard()
  server.topics.publish('a', 1)
  t.equal(await full.ends(), 1)
  t.match(full.err, /ENOSPC/)
})
