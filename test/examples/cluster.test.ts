/** The cluster: its balancer with plain sockets, its nodes as processes, its page in a browser. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { balance } from '../../examples/cluster/balancer.ts'
import type { Beat } from '../../examples/cluster/beats.ts'
import type { Roll } from '../../examples/cluster/roll.ts'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { freePort } from '../support/free-port.ts'
import { without } from '../support/programs.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { subscribe, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { plainNode } from '../support/plain-node.ts'

// A browser on a busy machine takes its time, and so do four processes that start.
t.setTimeout(120_000)

const SERVER = fileURLToPath(new URL('../../examples/cluster/server.js', import.meta.url))
const REDIS = new URL('../../examples/cluster/redis.js', import.meta.url).href
const NAMES = ['peach', 'mint', 'lilac']
const skip = withoutRedis() || without('TESTED FOR WHAT IS LEFT BEHIND', ['ps'], 'procps')

interface Served { by: string, roll: Roll }

class Cluster {
  readonly lines: string[] = []
  complaints = ''
  readonly exited: Promise<unknown[]>
  readonly #server: ChildProcess
  /** Its first line. */
  readonly said: Promise<void>

  constructor (server: ChildProcess) {
    this.#server = server
    this.exited = once(server, 'exit')
    server.stderr?.on('data', (text) => { this.complaints += text })
    this.said = new Promise((resolve) => {
      createInterface(server.stdout as Readable).on('line', (line) => {
        this.lines.push(line)
        resolve()
      })
    })
  }

  get pid (): number {
    return this.#server.pid as number
  }

  /** Where it says that it is, once it does. */
  async origin (): Promise<string> {
    await Promise.race([this.said, this.exited])
    const [origin] = /http:\/\/localhost:\d+/.exec(this.lines[0] ?? '') ?? []
    if (origin === undefined) throw new Error(this.complaints)
    return origin
  }

  /** The processes below its own, by id. */
  async below (): Promise<number[]> {
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
    const parents = new Map(stdout.trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number) as [number, number]))
    const isBelow = (pid: number): boolean => {
      const parent = parents.get(pid)
      return parent !== undefined && (parent === this.pid || isBelow(parent))
    }
    return [...parents.keys()].filter(isBelow)
  }
}

/** In a process group of its own, as a shell starts it; gone with the test, with all that it has started. */
function startCluster (t: Test, env: NodeJS.ProcessEnv = {}, args = [SERVER]): Cluster {
  const { REDIS_URL, ...rest } = plainNode()
  const server = spawn(process.execPath, args, { cwd: tmpdir(), env: { ...rest, PORT: '0', ...env }, detached: true })
  t.teardown(() => { server.kill('SIGKILL') })
  return new Cluster(server)
}

function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function listen (t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return (server.address() as AddressInfo).port
}

/** A node that greets, and the sockets that it has. */
async function startNode (t: Test, greeting: string): Promise<{ port: number, sockets: Socket[] }> {
  const sockets: Socket[] = []
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(greeting)
  })
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  return { port: await listen(t, server), sockets }
}

async function dial (t: Test, port: number): Promise<{ socket: Socket, heard: () => string }> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => { socket.destroy() })
  let text = ''
  socket.on('error', () => {})
  socket.setEncoding('utf8').on('data', (data) => { text += data })
  await once(socket, 'connect')
  return { socket, heard: () => text }
}

function beats (stream: Subscriber): number[] {
  return stream.events.filter(({ event }) => event !== 'heartbeat').flatMap(({ data }) => (JSON.parse(data) as Partial<Beat>).n ?? [])
}

function served (stream: Subscriber): Served {
  return JSON.parse(stream.data.find((text) => text.includes('"roll"')) as string) as Served
}

function isContiguous (numbers: readonly number[]): boolean {
  return numbers.every((n, i) => i === 0 || n === numbers[i - 1] as number + 1)
}

t.test('the balancer goes round, passes over who does not answer, and passes bytes as they come', async (t) => {
  const [one, other] = [await startNode(t, 'one'), await startNode(t, 'other')]
  const nobody = await freePort()
  const port = await listen(t, balance(() => [one.port, nobody, other.port]))
  const clients = []
  for (let i = 0; i < 3; i++) {
    const client = await dial(t, port)
    await until(() => client.heard() !== '', 'somebody greets')
    clients.push(client)
  }
  t.same(clients.map(({ heard }) => heard()), ['one', 'other', 'other'])
  const [first] = clients
  first?.socket.write('a byte')
  const [data] = await once(one.sockets[0] as Socket, 'data')
  t.equal(String(data), 'a byte')
  one.sockets[0]?.write(', and one back')
  await until(() => first?.heard() === 'one, and one back', 'it comes back')
})

t.test('what ends a connection at one side of the balancer ends it at the other', async (t) => {
  const node = await startNode(t, 'hello')
  const port = await listen(t, balance(() => [node.port]))
  for (const [how, end] of [['leaves', (socket: Socket) => socket.destroy()], ['resets', (socket: Socket) => socket.resetAndDestroy()]] as const) {
    const client = await dial(t, port)
    const inside = await until(() => node.sockets.pop(), 'the node has it')
    end(client.socket)
    inside.resume()
    await Promise.race([once(inside, 'end'), once(inside, 'close')])
    inside.end()
    await until(() => inside.destroyed, `the client ${how}`)

    const next = await dial(t, port)
    const own = await until(() => node.sockets.pop(), 'the node has it')
    await until(() => next.heard() === 'hello', 'it greets')
    end(own)
    await Promise.race([once(next.socket, 'end'), once(next.socket, 'close')])
    next.socket.end()
    await until(() => next.socket.destroyed, `the node ${how}`)
    t.same([inside.destroyed, next.socket.destroyed], [true, true], how)
  }
  const { socket } = await dial(t, await listen(t, balance(() => [])))
  socket.resume().end()
  await until(() => socket.destroyed, 'without a node there is nothing to wait for')
  t.equal(socket.bytesRead, 0)
})

t.test('without a redis-server it says what to install, and one that does not answer is named', async (t) => {
  const cluster = startCluster(t, { PATH: tmpdir() })
  t.same(await cluster.exited, [1, null])
  t.match(cluster.complaints, /apt-get install redis-server[^]*REDIS_URL=/)
  t.notMatch(cluster.complaints, /^ {4}at /m, 'in words')
  const port = await freePort()
  const other = startCluster(t, { REDIS_URL: `redis://user:secret@127.0.0.1:${port}` })
  t.same(await other.exited, [1, null])
  t.equal(other.complaints.trim(), `No Redis answers at 127.0.0.1:${port}.`)
})

t.test('three nodes, and a Redis of their own', { skip }, async (t) => {
  const cluster = startCluster(t)
  const origin = await cluster.origin()
  const complaints: string[] = []

  const numbers = async (page: Page) => (await page.locator('.number').allTextContents()).map(Number).reverse()
  const hues = async (page: Page, attribute: string) => await page.locator('.number').evaluateAll((items, name) => items.map((item) => item.getAttribute(name)), attribute)
  const server = async (page: Page) => await page.locator('.serves').getAttribute('data-hue')

  await t.test('a client whose node is killed goes on at another one, and the node comes back', async (t) => {
    const stream = await subscribe(t, origin, '/beats')
    await until(() => beats(stream).length > 1, 'numbers come')
    const { by, roll } = served(stream)
    t.same(roll.map(({ name }) => name), NAMES)
    t.equal((await fetch(`${origin}/nodes/${by}/kill`, { method: 'POST' })).status, 202)
    await stream.ended()
    const again = await subscribe(t, origin, '/beats', { lastEventId: stream.lastEventId })
    await until(() => beats(again).length > 2, 'numbers go on')
    t.not(served(again).by, by)
    const all = [...beats(stream), ...beats(again)]
    t.ok(isContiguous(all), all.join())
    const rolls = () => again.data.filter((text) => text.startsWith('[')).map((text) => JSON.parse(text) as Roll)
    const state = (roll: Roll | undefined) => roll?.find(({ name }) => name === by)?.state
    for (const next of ['down', 'starting', 'up'] as const) await until(() => rolls().map(state).includes(next), `the node is ${next}`)
    t.same(rolls().map(state), ['down', 'starting', 'up'])
    t.equal((await fetch(`${origin}/nodes/nobody/kill`, { method: 'POST' })).status, 400)
  })

  await t.test('the page', { skip: withoutChromium() }, async (t) => {
    const page = await (await launchChromium(t)).newPage()
    page.on('pageerror', (error) => { complaints.push(String(error)) })
    page.on('console', (message) => { if (message.type() === 'error' && !/ERR_/.test(message.text())) complaints.push(message.text()) })
    await page.goto(origin)

    await t.test('is served by one node, and shows what all of them publish', async (t) => {
      await page.locator('.number').nth(2).waitFor()
      t.ok(NAMES.includes(await server(page) as string))
      t.equal(await page.locator('.serves .doing').textContent(), 'serves this page')
      const [first] = await hues(page, 'data-hue')
      await page.locator(`.number:not([data-hue=${first}])`).first().waitFor()
      t.ok(isContiguous(await numbers(page)))
      t.match(await page.locator('.verdict').textContent(), /^\d+ to \d+, none missing, none twice$/)
    })

    await t.test('goes on at another node when its own is killed, in order, without a gap or a duplicate', async (t) => {
      for (let kills = 1; kills <= 2; kills++) {
        const before = await server(page)
        await page.getByRole('button', { name: 'which serves this page' }).click()
        await page.locator('.cut').nth(kills - 1).waitFor()
        t.not(await server(page), before)
        t.match(await page.locator('.story li').first().textContent(), /was lost behind \d+, .* went on with \d+/)
        t.match(await page.locator(`.node[data-hue=${before}].down .doing`).textContent(), /dead, back in a moment|starts again/)
      }
      const { length } = await numbers(page)
      await page.locator('.number').nth(length + 2).waitFor()
      const all = await numbers(page)
      t.ok(isContiguous(all), all.join())
      t.equal(await page.locator('.verdict').getAttribute('data-is'), 'whole')
      t.ok(new Set(await hues(page, 'data-server')).size > 1, 'more than one brought them')
    })

    t.same(complaints, [], 'the page has not complained')
  })

  await t.test('Ctrl-C, which goes to the whole group, leaves no process behind', async (t) => {
    const stream = await subscribe(t, origin, '/beats')
    await until(() => beats(stream).length > 0, 'numbers come')
    let below: number[] = []
    while (below.length <= NAMES.length) below = await cluster.below()   // the nodes, of which one may be about to come back, and Redis
    process.kill(-cluster.pid, 'SIGINT')
    t.same(await cluster.exited, [0, null])
    t.same(below.filter(isAlive), [])
    await stream.ended()
    t.match(stream.text, /retry: \d+\n\n$/, 'the stream ended properly: its client knows when to come back')
    t.same([cluster.complaints, cluster.lines.length], ['', 1])
  })
})

t.test('a Redis of its own ends with the process that has started it, however that ends', { skip }, async (t) => {
  const code = `import(${JSON.stringify(REDIS)}).then(({ findRedis }) => findRedis()).then(({ url }) => { console.log(url) })`
  const starter = startCluster(t, {}, ['--eval', code])
  await starter.said
  const below = await starter.below()
  t.ok(below.length > 0)
  process.kill(starter.pid, 'SIGKILL')
  await until(() => !below.some(isAlive), 'Redis is gone')
  t.same([starter.complaints, starter.lines.length], ['', 1])
})

t.test('it takes the Redis that it is given, and leaves nothing but that behind, also if it is killed itself', { skip }, async (t) => {
  const redis = await startRedis(t)
  const cluster = startCluster(t, { REDIS_URL: redis.socket, PATH: tmpdir() })
  const port = /\d+$/.exec(await cluster.origin())?.[0] as string
  const second = startCluster(t, { REDIS_URL: redis.socket, PORT: port })
  t.same(await second.exited, [1, null])
  t.match(second.complaints, /^listen EADDRINUSE: .*\n$/, 'a port that is taken is an error, and its end')
  const below = await cluster.below()
  t.equal(below.length, NAMES.length)
  process.kill(cluster.pid, 'SIGKILL')
  await until(() => !below.some(isAlive), 'all nodes are gone')
  t.equal(cluster.complaints, '')
  t.ok(Number(await redis.cli('XLEN', '{cluster}:log')) > 0)
})

t.test('the page finds what is missing or comes twice, whoever says otherwise', async (t) => {
  const { Sequence } = await import(new URL('../../../examples/cluster/public/sequence.js', import.meta.url).href)
  const verdicts = (numbers: ReadonlyArray<number | 'gap'>) => {
    const sequence = new Sequence()
    for (const n of numbers) n === 'gap' ? sequence.announce() : sequence.add(n)
    return [sequence.verdict, String(sequence)]
  }
  t.same(verdicts([7, 8, 9]), ['whole', '7 to 9, none missing, none twice'])
  t.same(verdicts(['gap', 7, 8]), ['whole', '7 to 8, none missing, none twice'], 'there was nothing before it')
  t.same(verdicts([7, 8, 8, 9]), ['wrong', 'This should never be: 0 missing without a word, 1 twice'])
  t.same(verdicts([7, 9, 8, 12]), ['wrong', 'This should never be: 3 missing without a word, 1 twice'])
  t.same(verdicts([7, 'gap', 12, 13]), ['gaps', '12 to 13, none missing, none twice: since a gap that the page was told of'])
})
