/** A connection to Redis, whichever client has made it. */
import { PST_ERR_OPTION } from '../../lib/errors.ts'
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

/** A client of `ioredis`, or a connected one of `redis`. */
export type RedisClient = Ioredis | NodeRedis

export interface Line {
  /** Commands of one tick leave together, and are answered in order. */
  send: (...args: string[]) => Promise<unknown>
  /** Another connection to the same place. It ends with its first failure. */
  open: () => Promise<Line>
  /** At once: what is under way fails. */
  close: () => void
}

const CONNECT_TIMEOUT = 5_000

/** @throws PST_ERR_OPTION */
export function lineOf (client: RedisClient): Line {
  const { call, sendCommand, duplicate } = Object(client) as Partial<Ioredis & NodeRedis>
  if (typeof duplicate === 'function' && typeof call === 'function') return ofIoredis(client as Ioredis)
  if (typeof duplicate === 'function' && typeof sendCommand === 'function') return ofNodeRedis(client as NodeRedis)
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
    open: async () => {
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
      await connect(own, () => { own.disconnect() })
      return ofIoredis(own)
    }
  }
}

function ofNodeRedis (client: NodeRedis): Line {
  return {
    send: (...args) => client.sendCommand(args, { typeMapping: {} }),
    close: () => { client.destroy() },
    open: async () => {
      const socket = { ...client.options?.socket, reconnectStrategy: false, connectTimeout: CONNECT_TIMEOUT, socketTimeout: undefined }
      const own = client.duplicate({ socket, disableOfflineQueue: true, pingInterval: undefined })
      own.on('error', () => {})
      await connect(own, () => { own.destroy() })
      return ofNodeRedis(own)
    }
  }
}

// A server that accepts and does not answer would be waited for forever.
async function connect (client: RedisClient, giveUp: () => void): Promise<void> {
  const timer = setTimeout(giveUp, CONNECT_TIMEOUT)
  try {
    await client.connect()
  } finally {
    clearTimeout(timer)
  }
}
