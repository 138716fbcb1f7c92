/** The engines that keep a log: how a benchmark starts one of its own, and how the processes of that reach it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { type Log, memoryLog } from '../index.ts'
import { natsLog } from '../logs/nats.ts'
import { redisLog } from '../logs/redis.ts'
import { freePort } from '../test/support/free-port.ts'
import { locate } from '../test/support/programs.ts'

/** `memory` is none; `redis-always` is Redis that writes each append to its disk before it answers. */
export const ENGINES = ['memory', 'redis', 'redis-always', 'nats'] as const
export type Engine = typeof ENGINES[number]

export interface Running {
  /** 0 for `memory`. */
  port: number
  pids: number[]
  stop: () => Promise<void>
}

/** What a process has of an engine besides the log. */
export interface Reached {
  log: Log
  /** The shortest question that there is. */
  ping: () => Promise<unknown>
  /** One append by the client alone, to something else than the log. */
  append: (data: string) => Promise<unknown>
}

const EVENTS = 1_000_000
const PLAIN = 'plain'
const PATIENCE = 10_000

/** @throws what a wrong name is */
export function engineOf (name: string): Engine {
  const found = ENGINES.find((engine) => engine === name)
  if (found === undefined) throw new Error(`"${name}" is none of ${ENGINES.join(', ')}`)
  return found
}

export async function startEngine (engine: Engine): Promise<Running> {
  if (engine === 'memory') return { port: 0, pids: [], stop: async () => {} }
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'pastelli-benchmark-'))
  const always = engine === 'redis-always' ? 'yes' : 'no'
  const child = engine === 'nats'
    ? spawn(locate(['nats-server']), ['-js', '-sd', folder, '-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
    : spawn(locate(['redis-server']), [
      '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', always, '--appendfsync', 'always'
    ], { stdio: 'ignore' })
  const stop = async () => {
    const exit = once(child, 'exit')
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await exit
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await listening(port)
  } catch (err) {
    await stop()
    throw err
  }
  return { port, pids: [child.pid as number], stop }
}

export async function reach (engine: Engine, port: number): Promise<Reached> {
  if (engine === 'memory') return { log: memoryLog(), ping: async () => {}, append: async () => {} }
  if (engine === 'nats') return await reachNats(port)
  const client = new Redis(port, '127.0.0.1')
  return {
    log: await redisLog({ client, events: EVENTS }),
    ping: () => client.ping(),
    append: (data) => client.xadd(PLAIN, '*', 'data', data)
  }
}

async function reachNats (port: number): Promise<Reached> {
  const connection = await connect({ port })
  const client = jetstream(connection)
  const manager = await jetstreamManager(connection)
  await manager.streams.add({ name: PLAIN, subjects: [PLAIN] })   // the same again is no error
  return {
    log: await natsLog({ client, events: EVENTS }),
    ping: () => connection.flush(),
    append: (data) => client.publish(PLAIN, data)
  }
}

async function listening (port: number): Promise<void> {
  for (const deadline = performance.now() + PATIENCE; ; await delay(20)) {
    const socket = net.connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (err) {
      if (performance.now() > deadline) throw err
    } finally {
      socket.destroy()
    }
  }
}
