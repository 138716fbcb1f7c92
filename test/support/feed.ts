/** A server with one topic, as an event stream, lines of JSON and a WebSocket. */
import type { Test } from 'tap'
import type { Log, Topics } from '../../index.ts'
import { type Server, start } from './server.ts'
import { until } from './until.ts'

export interface Feed extends Server {
  topics: Topics
  /** Resolves when so many are subscribed. */
  isHeard: (by?: number) => Promise<void>
}

export async function startFeed (t: Test, { log, port }: { log?: Log, port?: number } = {}): Promise<Feed> {
  const server = await start(t, (app) => {
    app.stream('/', { topics: 'a', websocket: {} })
    app.stream('/lines', { topics: 'a', formats: ['ndjson'] })
  }, { pastelli: { heartbeat: 100, ...log && { log } } }, port)
  const { topics } = server.app
  const isHeard = async (by = 1) => { await until(() => topics.subscribers('a') >= by, `${by} are subscribed`) }
  return { ...server, topics, isHeard }
}
