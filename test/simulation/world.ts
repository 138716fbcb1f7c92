/** The real thing: an app with Pastelli whose clients are played and whose time is told to pass. */
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import pastelli, { type CloseReason, type Connection } from '../../index.ts'
import { MemoryLog } from '../../lib/topics/memory-log.ts'
import { keyOf, nameOf, ROUTES, type Route, type Settings } from './model.ts'
import type { FormatName } from './reading.ts'
import { VirtualTime } from './virtual-time.ts'
import { Wire } from './wire.ts'

export interface Ending { reason: CloseReason, at: number }

export class World {
  readonly settings: Settings
  readonly time: VirtualTime
  app: FastifyInstance | null = null
  log = new MemoryLog()
  /** Of each connection that is open, or was until the last look. */
  readonly wires = new Map<number, Wire>()
  readonly opened: Connection[] = []
  /** What the registry told of since the last look. */
  readonly closings: Array<{ connection: Connection, reason: CloseReason }> = []
  /** What the signals of connections told. */
  readonly endings = new WeakMap<Connection, Ending>()
  /** What is logged that should not be. */
  readonly noise: unknown[] = []
  /** The ids of connections whose end was logged since the last look. */
  logged: string[] = []
  /** Where each client was when it had its last connection. */
  readonly #lastIds = new Map<number, string | null>()
  readonly #cutters = new WeakMap<Connection, AbortController>()
  #forbids: (client: number, topic: string) => boolean = () => false

  readonly #notes: Map<string, number>

  /** @param notes how often what happened: a schedule in which nothing does finds nothing */
  constructor (settings: Settings, notes: Map<string, number>) {
    this.settings = settings
    this.#notes = notes
    this.time = new VirtualTime(settings.seed)
  }

  get server (): FastifyInstance {
    return this.app as FastifyInstance
  }

  note (what: string): void {
    this.#notes.set(what, (this.#notes.get(what) ?? 0) + 1)
  }

  async start (forbids: (client: number, topic: string) => boolean): Promise<void> {
    this.#forbids = forbids
    const { retention, heartbeat, heartbeatEvent, maxAge, writeTimeout, maxBuffered, drain, coalesce, maxConnections, maxConnectionsPerKey } = this.settings
    const app = fastify({ loggerInstance: this.#makeLogger() })
    this.log = new MemoryLog(retention)
    void app.register(pastelli, {
      log: this.log,
      heartbeat,
      heartbeatEvent,
      writeTimeout,
      maxBuffered,
      drain,
      coalesce,
      maxConnections,
      maxConnectionsPerKey,
      key: ({ headers }) => keyOf(Number(headers['x-client'])),
      canSubscribe: ({ headers }, topic) => !this.#forbids(Number(headers['x-client']), topic)
    })
    await app.register(async (app) => { for (const route of ROUTES) this.#addRoute(app, route, maxAge) })
    app.addHook('onReady', async () => {
      app.connections.on('open', (connection) => {
        const { signal } = connection
        this.opened.push(connection)
        signal.addEventListener('abort', () => { this.endings.set(connection, { reason: signal.reason as CloseReason, at: this.time.now }) })
      })
      app.connections.on('close', (connection, reason) => { this.closings.push({ connection, reason }) })
    })
    this.app = app
    await this.time.await(Promise.resolve(app.ready()))
  }

  /** All that comes of it by itself, publishes that are gathered included. */
  async settle (): Promise<void> {
    await this.time.settle()
    if (this.settings.coalesce !== 0) await this.time.advance(this.settings.coalesce)
  }

  /** A client asks; what is answered is seen on the wire. */
  connect (client: number, route: Route, format: FormatName, topics: readonly string[], said: string | null, inQuery: boolean): Wire {
    const query = new URLSearchParams({ topics: topics.join(), ...said !== null && inQuery && { lastEventId: said } })
    const headers = { 'x-client': String(client), ...said !== null && !inQuery && { 'last-event-id': said } }
    const path = `${format === 'websocket' ? `/socket${route}` : route}?${query.toString()}`
    const wire = new Wire(this.time, this.settings.capacity, { client, path, format, headers })
    this.server.server.emit('connection', wire.line.socket)
    wire.ask()
    return wire
  }

  lastId (client: number): string | null {
    return this.#lastIds.get(client) ?? null
  }

  remember (wire: Wire): void {
    this.#lastIds.set(wire.client, wire.lastId)
  }

  cut (connection: Connection): void {
    this.#cutters.get(connection)?.abort()
  }

  #addRoute (app: FastifyInstance, route: Route, maxAge: number): void {
    const options = { ...route === '/aged' && { maxAge }, ...route === '/skip' && { overflow: 'skip' as const } }
    const topicsOf = ({ query }: { query: unknown }) => (query as { topics: string }).topics.split(',').filter((topic) => topic !== '')
    const meet = (connection: Connection, client: unknown) => {
      const cutter = new AbortController()
      connection.name = nameOf(Number(client), connection.transport === 'websocket' ? 'websocket' : undefined)
      connection.link(cutter.signal)
      this.#cutters.set(connection, cutter)
    }
    app.stream(route, { ...options, topics: topicsOf }, ({ headers }, reply) => { meet(reply.connection, headers['x-client']) })
    app.stream(`/socket${route}`, { ...options, topics: topicsOf, websocket: { init: ({ headers }, connection) => { meet(connection, headers['x-client']) } } })
  }

  #makeLogger (): FastifyBaseLogger {
    const quiet = () => {}
    // Fastify's own, for each 503.
    const isRefusal = (line: unknown) => (line as { err?: { code?: string } }).err?.code === 'PST_ERR_MAX_CONNECTIONS'
    const loud = (...line: unknown[]) => { if (!isRefusal(line[0])) this.noise.push(line) }
    const info = (fields: { connection?: string }, message: string) => { if (message === 'stream closed') this.logged.push(fields.connection as string) }
    const logger = { level: 'info', trace: quiet, debug: quiet, silent: quiet, info, warn: loud, error: loud, fatal: loud, child: () => logger }
    return logger as unknown as FastifyBaseLogger
  }
}
