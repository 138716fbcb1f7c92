/** A Redis of the test's own: a server on a socket in a folder of its own, which can be killed, stopped and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import type { Test } from 'tap'
import type { RedisClient } from '../../logs/redis.ts'
import { locate, without } from './programs.ts'
import { standStill } from './stand-still.ts'

const SERVER = ['redis-server']

export type Kind = 'ioredis' | 'redis'

/** What goes into a test's `skip`: false if there is a Redis, or if there has to be one and the test shall fail. */
export function withoutRedis (): string | false {
  return without('TESTED WITH REDIS', SERVER, 'redis-server')
}

export class RedisServer {
  /** Its path. */
  readonly socket: string
  readonly #folder: string
  readonly #args: readonly string[]
  #process: ChildProcess | null = null

  /** @param args its options, as on the command line */
  constructor (folder: string, args: readonly string[]) {
    this.socket = join(folder, 'socket')
    this.#folder = folder
    this.#args = args
  }

  async start (): Promise<void> {
    const child = spawn(locate(SERVER), [
      '--port', '0', '--unixsocket', this.socket, '--dir', this.#folder, '--save', '', ...this.#args
    ], { stdio: 'ignore' })
    this.#process = child
    await this.cli('PING')
  }

  /** SIGKILL, and gone when it resolves. */
  async kill (): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  /** Keeps its connections, and answers nothing. */
  suspend (): void {
    standStill(this.#process)
  }

  resume (): void {
    this.#process?.kill('SIGCONT')
  }

  /** What `redis-cli` does with these words. */
  async cli (...words: string[]): Promise<unknown> {
    const client = new Redis(this.socket, { lazyConnect: true, retryStrategy: (times) => times < 200 ? 20 : null, maxRetriesPerRequest: null })
    client.on('error', () => {})
    try {
      return await client.call(words[0] as string, ...words.slice(1))
    } finally {
      client.disconnect()
    }
  }

  /** A connected client, which goes away with the test. */
  async client (t: Test, kind: Kind): Promise<RedisClient> {
    if (kind === 'ioredis') {
      const client = new Redis(this.socket, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
      client.on('error', () => {})
      t.teardown(() => { client.disconnect() })
      return client
    }
    const client = createClient({ socket: { path: this.socket, reconnectStrategy: () => 50 } })
    client.on('error', () => {})
    await client.connect()
    t.teardown(() => { client.destroy() })
    return client
  }
}

/** A server that ends with the test. */
export async function startRedis (t: Test, ...args: string[]): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'pastelli-redis-'))
  const server = new RedisServer(folder, args)
  t.teardown(async () => {
    await server.kill()
    await rm(folder, { recursive: true, force: true })
  })
  await server.start()
  return server
}

/** The keys that nodes have there. */
export async function nodeKeys (redis: RedisServer): Promise<string[]> {
  return (await redis.cli('KEYS', '*') as string[]).filter((key) => key.includes(':nodes'))
}
