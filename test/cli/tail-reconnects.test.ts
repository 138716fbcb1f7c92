/** `pastelli tail`, the command itself, on servers of Pastelli: how it comes back. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { memoryLog } from '../../index.ts'
import { run, WEB_SOCKETS } from '../support/command.ts'
import { startFeed } from '../support/feed.ts'
import { freePort } from '../support/free-port.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { plainNode } from '../support/plain-node.ts'

// Many processes, one after the other, on a busy machine.
t.setTimeout(120_000)

const COUNTING = fileURLToPath(new URL('../support/fixtures/counting-server.js', import.meta.url))

/** Publishes 0, 1, 2 … in a process of its own. */
async function spawnCounting (t: Test, port: number): Promise<{ kill: () => Promise<void> }> {
  const child = spawn(process.execPath, [COUNTING, String(port)], { stdio: ['ignore', 'pipe', 'inherit'], env: plainNode() })
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

t.test('silence is noticed', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { heartbeat: 0 }, () => {}) })
  const tail = run(t, ['tail', server.origin, '--heartbeat-timeout', '0.2'])
  await tail.says(/^pastelli: nothing has come for too long; asking again in/m)
  tail.child.kill('SIGINT')
  t.equal(await tail.ends(), 130)
})

t.test('a WebSocket that tells no positions may be silent, unless a time is given', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { websocket: { init () {} } }) })
  // In its process a second is ten milliseconds.
  const fast = `const { setTimeout: wait } = globalThis; const now = performance.now.bind(performance)
    globalThis.setTimeout = (run, ms) => wait(run, ms / 100)
    performance.now = () => now() * 100`
  const flags = [...WEB_SOCKETS, '--import', `data:text/javascript,${encodeURIComponent(fast)}`]
  const address = server.origin.replace('http', 'ws')
  const patient = run(t, ['tail', address, '-n', '1'], flags)
  await until(() => server.app.connections.size === 1)
  const strict = run(t, ['tail', address, '--heartbeat-timeout', '45'], flags)
  await strict.says(/^pastelli: nothing has come for too long/m)
  for (const connection of server.app.connections) connection.chunk('late')
  t.equal(await patient.ends(), 0)
  t.equal(patient.err, '')
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
