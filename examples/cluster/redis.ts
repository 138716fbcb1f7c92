/** The Redis that the nodes share: the one of REDIS_URL, or one that lives as long as this process. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'

export interface Engine {
  url: string
  /** Connected. */
  client: Redis
  stop: () => Promise<void>
}

/** Options of every log on it. */
export const LOG = { name: 'cluster', events: 1_000 }

const MISSING = `This cluster shares its log through Redis, and there is no redis-server in PATH. Install version 7 or newer:

    apt-get install redis-server     or     brew install redis

or say where one is that it may use:

    REDIS_URL=redis://localhost:6379 npm run start:cluster`

// Its input ends when this process does, however that ends; then Redis does too. Nothing is written: the log is gone with it.
const GUARD = 'redis-server "$@" > /dev/null & read -r _; kill $!; wait $!'
// One that has just been started takes its time; from try to try, ms.
const TRIES = { given: 10, started: 200 }
const BETWEEN = 50

/** @throws an error whose message says what to do */
export async function findRedis (url: string | undefined): Promise<Engine> {
  if (url !== undefined && url !== '') return await connect(url, TRIES.given, async () => {})
  await promisify(execFile)('redis-server', ['--version']).catch(() => { throw new Error(MISSING) })
  const port = await freePort()
  // In a process group of its own: Ctrl-C shall not take it from the nodes before they have ended.
  const guard = spawn('/bin/sh', ['-c', GUARD, 'sh', '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    stdio: ['pipe', 'ignore', 'inherit'], detached: true
  })
  return await connect(`redis://127.0.0.1:${port}`, TRIES.started, async () => {
    if (guard.exitCode !== null) return
    guard.stdin?.end()
    await once(guard, 'exit')
  })
}

async function connect (url: string, tries: number, stop: () => Promise<void>): Promise<Engine> {
  let isThere = false
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: (times) => isThere || times < tries ? BETWEEN : null })
  client.on('error', () => {})   // what fails for that says so
  const name = client.options.path ?? `${client.options.host}:${client.options.port}`
  const fail = async (message: string) => {
    client.disconnect()
    await stop()
    throw new Error(message)
  }
  const about = await client.info('server').catch(() => fail(`No Redis answers at ${name}.`))
  const [, version = '?'] = /redis_version:(\S+)/.exec(about) ?? []
  if (parseInt(version) < 7) await fail(`The Redis at ${name} is of version ${version}, and this cluster needs 7 or newer.`)
  isThere = true
  return {
    url,
    client,
    stop: async () => {
      client.disconnect()
      await stop()
    }
  }
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
