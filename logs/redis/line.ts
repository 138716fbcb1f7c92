/** A connection to Redis, whichever client has made it. */
import { PST_ERR_OPTION } from '../../lib/errors.ts'
import { inTime } from '../unavailable.ts'
import type { Script } from './scripts.ts'

/** A client of `ioredis`. */
export interface Ioredis {
  call: (command: string, ...args: string[]) => Promise<unknown>
  duplicate: (override?: object) => Ioredis
  connect: () => Promise<unknown>
  disconnect: () => void
  on: (event: 'error', listener: (error: unknown) => void) => unknown
}

/** A client of `redis`, that is node-redis. */
export interface NodeRedis {
  sendCommand: (args: string[], options?: { typeMapping: object }) => Promise<unknown>
  readonly options?: { socket?: object } | undefined
  duplicate: (overrides?: object) => NodeRedis
  connect: () => Promise<unknown>
  destroy: () => void
  on: (event: 'error', listener: (error: unknown) => void) => unknown
}

/** A `Cluster` of `ioredis`. */
export interface IoredisCluster {
  call: (command: string, ...args: string[]) => Promise<unknown>
  nodes: (role: 'master') => Ioredis[]
}

/** What `createCluster` of `redis` makes. */
export interface NodeRedisCluster {
  sendCommand: (firstKey: string, isReadonly: boolean, args: string[], options?: { typeMapping: object }) => Promise<unknown>
  readonly masters: readonly object[]
  nodeClient: (node: never) => Promise<NodeRedis> | NodeRedis
}

/** A client of `ioredis`, or a connected one of `redis`; of a cluster as well. */
export type RedisClient = Ioredis | NodeRedis | IoredisCluster | NodeRedisCluster

export interface Line {
  /** Commands of one tick leave together, and are answered in order. */
  send: (...args: string[]) => Promise<unknown>
  /**
   * Another connection to the same place. It ends with its first failure.
   * @param signal nobody waits for it any more
   */
  open: (signal: AbortSignal) => Promise<Line>
  /** At once: what is under way fails. */
  close: () => void
}

const CONNECT_TIMEOUT = 5_000

/**
 * @param key one of those that all commands are about: in a cluster they lie on one node
 * @throws PST_ERR_OPTION
 */
export function lineOf (client: RedisClient, key: string): Line {
  const has = (...names: string[]) => names.every((name) => typeof Object(client)[name] === 'function')
  if (has('call', 'nodes')) return ofIoredisCluster(client as IoredisCluster, key)
  if (has('call', 'duplicate')) return ofIoredis(client as Ioredis)
  if (has('sendCommand', 'nodeClient')) return ofNodeRedisCluster(client as NodeRedisCluster, key)
  // Sentinels of redis have both, and other arguments.
  if (has('sendCommand', 'duplicate') && !has('getMasterNode')) return ofNodeRedis(client as NodeRedis)
  throw new PST_ERR_OPTION('client', 'a client of ioredis or redis', typeof client)
}

/** Runs a script, which Redis may know already. */
export async function run (line: Line, { sha, text }: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args]
  try {
    return await line.send('EVALSHA', sha, ...rest)
  } catch (err) {
    if (!(err instanceof Error) || !err.message.startsWith('NOSCRIPT')) throw err
    return await line.send('EVAL', text, ...rest)
  }
}

// The timeouts of the app's client are for short commands: here one waits for what is published.
function ofIoredis (client: Ioredis): Line {
  return {
    send: (command, ...args) => client.call(command as string, ...args),
    close: () => { client.disconnect() },
    open: async (signal) => {
      const own = client.duplicate({
        lazyConnect: true,
        retryStrategy: () => null,
        sentinelRetryStrategy: () => null,
        reconnectOnError: null,
        autoResendUnfulfilledCommands: false,
        enableAutoPipelining: false,
        maxRetriesPerRequest: 0,
        connectTimeout: CONNECT_TIMEOUT,
        commandTimeout: undefined,
        blockingTimeout: undefined,
        socketTimeout: undefined
      })
      own.on('error', () => {})   // what fails says so
      await connect(own, () => { own.disconnect() }, signal)
      return ofIoredis(own)
    }
  }
}

function ofNodeRedis (client: NodeRedis): Line {
  return {
    send: (...args) => client.sendCommand(args, { typeMapping: {} }),
    close: () => { client.destroy() },
    open: async (signal) => {
      const socket = { ...client.options?.socket, reconnectStrategy: false, connectTimeout: CONNECT_TIMEOUT, socketTimeout: undefined }
      const own = client.duplicate({ socket, disableOfflineQueue: true, pingInterval: undefined })
      own.on('error', () => {})
      await connect(own, () => { own.destroy() }, signal)
      return ofNodeRedis(own)
    }
  }
}

// What is published goes where the cluster has the key. Who hears has a connection to that node, as long as it has the key.
function ofIoredisCluster (cluster: IoredisCluster, key: string): Line {
  const send = (...[command, ...args]: string[]) => cluster.call(command as string, ...args)
  return {
    send,
    close: () => {},   // it is the app's
    open: async (signal) => await openOwner(() => cluster.nodes('master').map(ofIoredis), send, key, signal)
  }
}

function ofNodeRedisCluster (cluster: NodeRedisCluster, key: string): Line {
  const send = (...args: string[]) => cluster.sendCommand(key, false, args, { typeMapping: {} })
  return {
    send,
    close: () => {},
    open: async (signal) => {
      const masters = () => cluster.masters.map(async (node) => ofNodeRedis(await cluster.nodeClient(node as never)))
      return await openOwner(masters, send, key, signal)
    }
  }
}

// The question to the cluster makes it look at where the key is now; of its nodes, all others answer that it moved.
async function openOwner (masters: () => Array<Line | Promise<Line>>, ask: Line['send'], key: string, signal: AbortSignal): Promise<Line> {
  const find = async () => {
    await ask('EXISTS', key)
    return await Promise.any(masters().map(async (master) => {
      const line = await master
      await line.send('EXISTS', key)
      return line
    }))
  }
  const owner = await inTime(find(), CONNECT_TIMEOUT)
  return await owner.open(signal)
}

// A server that accepts and does not answer would be waited for forever.
async function connect (client: Ioredis | NodeRedis, giveUp: () => void, signal: AbortSignal): Promise<void> {
  const timer = setTimeout(giveUp, CONNECT_TIMEOUT)
  signal.addEventListener('abort', giveUp)
  try {
    await client.connect()
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
  }
}
