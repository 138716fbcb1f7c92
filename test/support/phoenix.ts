/** Channels on a server, and the clients that the Phoenix team ships. */
import { type Channel, LongPoll, type Push, Socket, type SocketConnectOption } from 'phoenix'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import phoenix, { type PhoenixOptions } from '../../phoenix/index.ts'
import { type Server, type ServerOptions, start } from './server.ts'
import { until } from './until.ts'

/** How a client connects. */
export type Via = 'WebSocket' | 'LongPoll'

export const VIAS: readonly Via[] = ['WebSocket', 'LongPoll']

const TRANSPORTS = { WebSocket, LongPoll } as unknown as Record<Via, SocketConnectOption['transport']>

/** @param port default: a free one */
export async function startChannels (t: Test, options: PhoenixOptions, server: ServerOptions = {}, port = 0): Promise<Server> {
  return await start(t, async (app) => { await app.register(phoenix, options) }, server, port)
}

/** A client that has begun to connect; it goes away with the test. */
export function connectClient (t: Test, { port }: Pick<Server, 'port'>, via: Via, options: Partial<SocketConnectOption> = {}): Socket {
  const socket = new Socket(`ws://127.0.0.1:${port}/socket`, { transport: TRANSPORTS[via], reconnectAfterMs: () => 20, rejoinAfterMs: () => 20, timeout: 5_000, ...options })
  t.teardown(() => { socket.disconnect() })
  socket.connect()
  return socket
}

/** What a push is answered. */
export async function answered (push: Push): Promise<{ status: string, response: unknown }> {
  return await new Promise((resolve) => {
    for (const status of ['ok', 'error', 'timeout'] as const) push.receive(status, (response: unknown) => { resolve({ status, response }) })
  })
}

/** A channel that was joined, and what it hears from now on. */
export interface Heard {
  channel: Channel
  /** Of the events that the test names. */
  events: Array<[event: string, payload: unknown]>
  /** Resolves once so many were heard. */
  took: (count: number) => Promise<Array<[event: string, payload: unknown]>>
}

/** Joins a topic, and fails the test unless that is answered with ok. */
export async function join (t: Test, socket: Socket, topic: string, events: string[] = [], params: object = {}): Promise<Heard> {
  const heard = listen(socket, topic, events, params)
  t.match(await answered(heard.channel.join()), { status: 'ok' }, `${topic} is joined`)
  return heard
}

/** A channel that is not joined yet. */
export function listen (socket: Socket, topic: string, names: string[], params: object = {}): Heard {
  const channel = socket.channel(topic, params)
  const events: Heard['events'] = []
  for (const name of names) channel.on(name, (payload: unknown) => { events.push([name, payload]) })
  const took = async (count: number) => {
    await until(() => events.length >= count, `${count} events were heard; they were ${JSON.stringify(events)}`)
    return events
  }
  return { channel, events, took }
}
