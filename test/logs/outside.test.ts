/** Publishing from outside: what the document on it says, run as it stands there, against real servers. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { natsLog } from '../../logs/nats.ts'
import { redisLog } from '../../logs/redis.ts'
import { type NatsServer, startNats, withoutNats } from '../support/nats.ts'
import { without } from '../support/programs.ts'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.ts'
import { type Server, start } from '../support/server.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const DOCUMENT = readFileSync(join(ROOT, 'docs/cluster.md'), 'utf8')
const [SECTION] = /^## Publishing from elsewhere$.*/ms.exec(DOCUMENT) as unknown as [string]
const [WORKER] = blocks('ts') as [string]
const [LINES, SESSION] = blocks('sh') as [string, string]
const FIELDS = [...SECTION.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name as string)

const STREAM = '{pastelli}:log'
const LEFT_OUT = 'what can not be an event was left out of the log'

const withRedis = { skip: withoutRedis() || without('PUBLISHED TO FROM A COMMAND LINE', ['redis-cli'], 'redis-tools') }
const withNats = { skip: withoutNats() }

function blocks (language: string): string[] {
  return [...SECTION.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text]) => text as string)
}

async function onRedis (t: Test): Promise<Server & { redis: RedisServer }> {
  const redis = await startRedis(t)
  const log = await redisLog({ client: await redis.client(t, 'ioredis') })
  return { ...await serve(t, log), redis }
}

async function onNats (t: Test): Promise<Server & { nats: NatsServer }> {
  const nats = await startNats(t)
  return { ...await serve(t, await natsLog({ client: await nats.client(t) })), nats }
}

async function serve (t: Test, log: Awaited<ReturnType<typeof redisLog>>): Promise<Server> {
  return await start(t, (app) => {
    app.stream('/', { topics: 'prices' }, (request, reply) => { reply.connection.name = request.headers.from ?? null })
  }, { pastelli: { log } })
}

/** What it prints; fails the test unless it ends well. */
async function ended (t: Test, child: ChildProcess): Promise<string> {
  let [printed, complaints] = ['', '']
  t.teardown(() => { child.kill('SIGKILL') })
  child.stdout?.on('data', (text) => { printed += text })
  child.stderr?.on('data', (text) => { complaints += text })
  t.same([await once(child, 'close'), complaints], [[0, null], ''])
  return printed
}

async function bash (t: Test, script: string): Promise<string> {
  // Its stdin is a socket: bash takes that for a remote shell, and would read its files.
  return await ended(t, spawn('bash', ['--norc', '-euc', script]))
}

/** Says these lines to NATS, and answers what it says until that matches. */
async function say (t: Test, { port }: NatsServer, text: string, expected: RegExp): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  let heard = ''
  socket.setEncoding('utf8').on('data', (text) => { heard += text })
  socket.write(text)
  await until(() => expected.test(heard), `NATS says ${expected}; it said ${heard}`)
  return heard
}

function pub (message: string, headers = ''): string {
  const size = Buffer.byteLength(message)
  if (headers === '') return `PUB pastelli answer ${size}\r\n${message}\r\n`
  const head = `NATS/1.0\r\n${headers}\r\n\r\n`
  return `HPUB pastelli answer ${head.length} ${head.length + size}\r\n${head}${message}\r\n`
}

/** A folder in which pastelli is installed and Fastify is not, whatever is in those above; gone with the test. */
async function workshop (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pastelli-worker-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'package.json'), '{}')
  await mkdir(join(folder, 'node_modules/fastify'), { recursive: true })
  await writeFile(join(folder, 'node_modules/fastify/package.json'), '{ "exports": {} }')
  for (const part of ['package.json', 'dist/lib', 'dist/logs']) await cp(join(ROOT, part), join(folder, 'node_modules/pastelli', part), { recursive: true })
  for (const name of ['@fastify/error', 'ioredis', '@nats-io/jetstream', '@nats-io/transport-node']) {
    const link = join(folder, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(ROOT, 'node_modules', name), link)
  }
  return folder
}

/** Runs a program in a process of its own, where it can't have Fastify. */
async function work (t: Test, program: string): Promise<void> {
  const file = join(await workshop(t), 'worker.mjs')
  await writeFile(file, `${program}\nawait import('fastify').catch(({ code }) => { console.log(code) })\n`)
  t.equal(await ended(t, spawn(process.execPath, [file])), 'ERR_PACKAGE_PATH_NOT_EXPORTED\n')
}

await t.test('the worker of the document publishes to Redis where there is no Fastify, and ends by itself', withRedis, async (t) => {
  const { origin, redis } = await onRedis(t)
  const client = await subscribe(t, origin, '/')
  await work(t, `
    import { Redis } from 'ioredis'
    const client = new Redis(${JSON.stringify(redis.socket)})
    ${WORKER}
    client.disconnect()
  `)
  await client.count(1)
  t.same(client.data, ['{"cents":1}'])
})

await t.test('so does one to NATS', withNats, async (t) => {
  const { origin, nats } = await onNats(t)
  const client = await subscribe(t, origin, '/')
  await work(t, `
    import { jetstream } from '@nats-io/jetstream'
    import { connect } from '@nats-io/transport-node'
    const connection = await connect({ port: ${nats.port} })
    const client = jetstream(connection)
    ${WORKER.replaceAll('redis', 'nats')}
    await connection.close()
  `)
  await client.count(1)
  t.same(client.data, ['{"cents":1}'])
})

await t.test('the line of the document for redis-cli publishes, and the stream stays as long as it says', withRedis, async (t) => {
  const { origin, redis } = await onRedis(t)
  const client = await subscribe(t, origin, '/')
  const line = LINES.split('\n').find((line) => line.startsWith('redis-cli ')) as string
  const run = (line: string, times: number) => bash(t, `redis-cli () { command redis-cli -s '${redis.socket}' -r ${times} "$@"; }\n${line}`)
  t.match(await run(line, 1), /^\d+-\d+\n$/, 'it answers the id')
  await client.count(1)
  t.same(client.data, ['{"cents":1}'])
  await run(line.replace('pastelli', 'short').replace('100000', '100'), 300)
  t.ok(Number(await redis.cli('XLEN', '{short}:log')) < 300)
})

await t.test('the lines of the document for NATS publish', withNats, async (t) => {
  const { origin, nats } = await onNats(t)
  const client = await subscribe(t, origin, '/')
  const answer = await bash(t, SESSION.replace('localhost/4222', `127.0.0.1/${nats.port}`))
  t.match(JSON.parse(answer), { stream: 'pastelli', seq: 1 })
  await client.count(1)
  // Debian has no such program: what its line says is said for it.
  const line = LINES.split('\n').find((line) => line.startsWith('nats ')) as string
  const [verb, subject, message] = (await bash(t, `nats () { printf '%s\\n' "$@"; }\n${line}`)).split('\n')
  t.same([verb, subject], ['req', 'pastelli'])
  await say(t, nats, `CONNECT {}\r\nSUB answer 1\r\n${pub(message as string)}`, /"seq":2/)
  await client.count(2)
  t.same(client.data, ['{"cents":1}', '{"cents":1}'])
})

await t.test('a record has the fields that the document has, in Redis and in NATS', { skip: withRedis.skip || withNats.skip }, async (t) => {
  t.same(FIELDS, ['topic', 'data', 'json', 'event', 'retry', 'except', 'key'])
  const values: Record<string, string | number | boolean> = { topic: 'prices', data: '{"cents":1}', json: true, event: 'price', retry: 50, except: 'them', key: 'tick 42' }
  const { origin, redis, ...server } = await onRedis(t)
  const other = await onNats(t)
  const publish = async (fields: typeof values) => {
    const words = Object.entries(fields).flatMap(([name, value]) => [name, value === true ? '1' : String(value)])
    await redis.cli('XADD', STREAM, '*', ...words)
    await say(t, other.nats, `CONNECT {}\r\nSUB answer 1\r\n${pub(JSON.stringify(fields))}`, /"seq"/)
  }
  const clients = await Promise.all([origin, other.origin].map(async (origin) => ({
    we: await subscribe(t, origin, '/', { headers: { from: 'us' } }),
    they: await subscribe(t, origin, '/', { headers: { from: 'them' } })
  })))
  await publish(values)
  await publish({ topic: 'prices', data: 'é', unknown: 'field' })
  for (const { we, they } of clients) {
    await we.count(2)
    await they.count(1)
    t.same([we.data, they.data], [['{"cents":1}', 'é'], ['é']])
    t.match(we.text, /^event: price$/m)
    t.match(we.text, /^retry: 50$/m)
    t.notMatch(we.text, 'tick 42')
  }
  t.same([...server.lines(LEFT_OUT), ...other.lines(LEFT_OUT)], [])
})

await t.test('what is Pastelli\'s own of a resumable stream counts for nothing on a topic of the app\'s', { skip: withRedis.skip || withNats.skip }, async (t) => {
  const { redis, ...server } = await onRedis(t)
  const { nats, ...other } = await onNats(t)
  const own = { epoch: 'x', producer: 'a worker', begins: '1', ends: 'server' }
  const clients = await Promise.all([server.origin, other.origin].map((origin) => subscribe(t, origin, '/')))
  await redis.cli('XADD', STREAM, '*', 'topic', 'prices', 'data', 'one', ...Object.entries(own).flat())
  await redis.cli('XADD', STREAM, '*', 'topic', 'prices', 'data', 'two', 'retry', '')
  await redis.cli('XADD', STREAM, '*', 'topic', 'prices', 'data', 'three')
  const messages = [{ data: 'one', ...own }, { data: 'three', ends: 'error', producer: '' }].map((fields) => pub(JSON.stringify({ topic: 'prices', ...fields })))
  await say(t, nats, `CONNECT {}\r\nSUB answer 1\r\n${messages.join('')}`, /"seq":2/)
  for (const client of clients) {
    await client.count(2)
    t.same(client.data, ['one', 'three'])
    t.notOk(client.isEnded)
  }
  t.equal((await server.logged(LEFT_OUT)).err?.code, 'PST_ERR_FIELD', 'no digits are no delay')
})

await t.test('what can not be an event is told by the nodes, with where it is', { skip: withRedis.skip || withNats.skip }, async (t) => {
  const { redis, ...server } = await onRedis(t)
  const long = 'x'.repeat(257)
  const id = await redis.cli('XADD', STREAM, '*', 'topic', long, 'data', '1')
  t.match(await server.logged(LEFT_OUT), { level: 50, entry: id, err: { code: 'PST_ERR_TOPIC' } })
  const { nats, ...other } = await onNats(t)
  const answer = await say(t, nats, `CONNECT {}\r\nSUB answer 1\r\n${pub(`{"topic":"${long}","data":1}`)}`, /"seq":1/)
  t.match(answer, '"stream":"pastelli"', 'its publisher is told nothing')
  t.match(await other.logged(LEFT_OUT), { level: 50, entry: '1', err: { code: 'PST_ERR_TOPIC' } })
  const client = await subscribe(t, server.origin, '/')
  await redis.cli('XADD', STREAM, '*', 'topic', 'prices', 'data', 'x'.repeat(8 * 1024 * 1024))
  await redis.cli('XADD', STREAM, '*', 'topic', 'prices', 'data', 'next')
  await client.until('data: next')
  t.same(client.data.map(({ length }) => length), [8 * 1024 * 1024, 4], 'large is not wrong')
})

await t.test('NATS takes a message with the same Nats-Msg-Id once, and one for a log that was never opened never', withNats, async (t) => {
  const { origin, nats } = await onNats(t)
  const client = await subscribe(t, origin, '/')
  const tick = pub('{"topic":"prices","data":1}', 'Nats-Msg-Id: tick 42')
  const answer = await say(t, nats, `CONNECT {"headers":true}\r\nSUB answer 1\r\n${tick}${tick}`, /"seq".*"seq"/s)
  t.match(answer, /"seq":1,\s*"duplicate": ?true/)
  await say(t, nats, `CONNECT {"headers":true,"no_responders":true}\r\nSUB answer 1\r\n${tick.replace('pastelli', 'somewhere')}`, /NATS\/1.0 503/)
  await say(t, nats, `CONNECT {}\r\nSUB answer 1\r\n${pub('{"topic":"prices","data":"last"}')}`, /"seq":2/)
  await client.count(2)
  t.same(client.data, ['1', 'last'])
})
