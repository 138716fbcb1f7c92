/** Several nodes in one process: apps that share a log, each with its own way to it, and what their presence tells. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { type Log, memoryLog, type PastelliOptions, type PresenceMember } from '../../index.ts'
import { natsLog, type NatsLogOptions } from '../../logs/nats.ts'
import { redisLog, type RedisLogOptions } from '../../logs/redis.ts'
import type { NatsServer } from './nats.ts'
import type { RedisServer } from './redis.ts'
import { type Server, start } from './server.ts'
import { until } from './until.ts'
import { plainNode } from './plain-node.ts'

const PROGRAM = fileURLToPath(new URL('./cluster-node.js', import.meta.url))

export interface Node extends Server {
  /** `join topic name` and `leave topic name`, in the order in which they were told. */
  told: string[]
}

/** A node in a process of its own. */
export interface OtherProcess { child: ChildProcess, id: string, origin: string }

/** Answers the log of the next node. */
export type Logs = () => Promise<Log>

/** In this process: all have one. */
export function localLogs (): Logs {
  const log = memoryLog()
  return async () => log
}

/** In Redis, each with a client of its own. */
export function redisLogs (t: Test, redis: RedisServer, options: Partial<RedisLogOptions> = {}): Logs {
  return async () => await redisLog({ client: await redis.client(t, 'ioredis'), ...options })
}

/** In NATS, each with a connection of its own. */
export function natsLogs (t: Test, nats: NatsServer, options: Partial<NatsLogOptions> = {}): Logs {
  return async () => await natsLog({ client: await nats.client(t), ...options })
}

/**
 * A node: `/:topics` is an event stream, or a WebSocket, that is present on these topics, by commas; `?name=` is its name and `?data=`
 * what it is present with.
 */
export async function node (t: Test, log: Log, options: PastelliOptions = {}, setup: (app: FastifyInstance) => unknown = () => {}): Promise<Node> {
  const server = await start(t, (app) => {
    app.stream<{ Params: { topics: string }, Querystring: { name?: string, data?: string } }>('/:topics', {
      websocket: { init: ({ params, query }, connection) => { enter(connection, params.topics, query) } }
    }, ({ params, query }, { connection }) => { enter(connection, params.topics, query) })
    setup(app)
  }, { pastelli: { log, ...options } })
  const told: string[] = []
  const { presence } = server.app
  presence.on('join', (topic, { name }) => { told.push(`join ${topic} ${name ?? '-'}`) })
  presence.on('leave', (topic, { name }) => { told.push(`leave ${topic} ${name ?? '-'}`) })
  return { ...server, told }
}

export async function nodes (t: Test, logs: Logs, count: number): Promise<Node[]> {
  const nodes: Node[] = []
  for (let i = 0; i < count; i++) nodes.push(await node(t, await logs()))
  for (const { app } of nodes) app.presence.count('nobody')   // they join
  await acquainted(nodes)
  return nodes
}

/** @param engine its name, where it is, and the node's `nodeTimeout` */
export async function another (t: Test, engine: readonly [name: string, place: string | number, nodeTimeout: number]): Promise<OtherProcess> {
  const child = fork(PROGRAM, engine.map(String), { execArgv: [], env: plainNode() })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  })
  const [{ port, id }] = await once(child, 'message') as [{ port: number, id: string }]
  return { child, id, origin: `http://127.0.0.1:${port}` }
}

/** Resolves when all of these know of each other, and of no one else. */
export async function acquainted (nodes: readonly Node[]): Promise<void> {
  const ids = nodes.map(({ app }) => app.presence.node).sort().join()
  await until(() => nodes.every(({ app }) => app.presence.nodes.join() === ids), 'all know of all')
}

/** Resolves when each of these nodes has this many members on the topic. */
export async function counted (nodes: readonly Node[], topic: string, count: number): Promise<void> {
  await until(() => nodes.every(({ app }) => app.presence.count(topic) === count), `there are ${count} on ${topic}; there were ${nodes.map(({ app }) => app.presence.count(topic)).join()}`)
}

export function namesOf (members: readonly PresenceMember[]): Array<string | null> {
  return members.map(({ name }) => name).sort()
}

function enter (connection: { name: string | null, subscribe: (topics: string[], options: { presence: unknown }) => unknown }, topics: string, { name, data }: { name?: string, data?: string }): void {
  connection.name = name ?? null
  void connection.subscribe(topics.split(','), { presence: data === undefined ? true : JSON.parse(data) })
}
