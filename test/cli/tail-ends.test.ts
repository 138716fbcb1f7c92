/** `pastelli tail`, the command itself, on servers of Pastelli: how it asks, and what it ends with. */
import t from 'tap'
import { run, runInShell } from '../support/command.ts'
import { startFeed } from '../support/feed.ts'
import { freePort } from '../support/free-port.ts'
import { start } from '../support/server.ts'

// Many processes, one after the other, on a busy machine.
t.setTimeout(120_000)

t.test('204 ends it for good', async (t) => {
  const server = await start(t, (app) => { app.get('/', (_request, reply) => reply.code(204).send()) })
  const tail = run(t, ['tail', server.origin])
  t.equal(await tail.ends(), 0)
  t.equal(tail.out + tail.err, '')
})

t.test('a refusal is told with its status and what the server says, and exits with 1', async (t) => {
  const server = await start(t, (app) => {
    app.addHook('onRequest', async (request, reply) => {
      if (request.headers.authorization !== 'Basic YWRhOnBhw59z') return await reply.code(401).send(request.headers.authorization ?? 'Who are\tyou?\u001b[2J')
    })
    app.stream('/', async function * (request) { yield request.headers['x-tag'] })
    app.get('/page', (_request, reply) => reply.type('text/html').send('<p>'))
    app.get('/empty', (_request, reply) => reply.code(404).send())
  })
  const refused = run(t, ['tail', server.origin])
  t.equal(await refused.ends(), 1)
  t.equal(refused.err, 'pastelli: refused with 401 Unauthorized: Who are\tyou?\\x1b[2J\n', 'which can\'t steer a terminal')
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
  t.same(await Promise.all(runs.map((tail) => tail.ends())), [0, 0, 0, 0, 0])
  t.same(runs.map(({ out }) => JSON.parse(out.split('  ')[2] as string)), [
    { method: 'POST', type: 'application/json', body: { from: 'line' } },
    { method: 'PUT', type: 'application/json', body: { from: 'file' } },
    { method: 'POST', type: 'application/json', body: { from: 'stdin' } },
    { method: 'POST', type: 'application/x-www-form-urlencoded', body: 'a=1' },
    { method: 'POST', type: 'application/json; charset=utf-8', body: 'typed' }
  ])
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
