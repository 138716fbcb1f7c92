/** The server of those who fall silent: `half-open-server.js SETTINGS`, as JSON. Run it with `--expose-gc`. */
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import pastelli, { memoryLog, type CloseReason, type Connection, type PastelliOptions } from '../../index.ts'
import { answer } from '../child.ts'
import { numbered } from '../numbered.ts'
import { type Remains, remains } from '../remains.ts'

export interface HalfOpenSettings {
  /** ms */
  age: number
  heartbeat: number
  timeout: number
  /** Clients whose address begins so are those that will be cut. */
  doomed: string
  /** s */
  lifetime: number
}

/** Of clients of one kind: what became of their connections since the mark. */
export interface Tally {
  opened: number
  closed: Record<string, number>
  /** Connections that closed more than once, or whose signal or promise did not tell. */
  wrong: number
  /** When the last one closed, ms since the mark. */
  last: number
  /** The ages at which those ended that did with `expired`, ms. */
  youngest: number
  oldest: number
}

const PUBLISH_EVERY = 100
const HEAVY = 'x'.repeat(16 * 1024)

// What the log retains, which is full of light ones when it is looked at what is left.
const EVENTS = 400

// What the server itself does with a connection on which nothing happens any more, once its streams have ended, ms.
const IDLE = 1_000

const { age, heartbeat, timeout, doomed, lifetime } = JSON.parse(process.argv[2] as string) as HalfOpenSettings

let tallies = new Map<string, Tally>()
let marked = performance.now()
let numbers = 0

async function serve (app: FastifyInstance, protocol: string): Promise<FastifyInstance> {
  const options: PastelliOptions = { heartbeat, writeTimeout: timeout, log: memoryLog({ events: EVENTS }) }
  await app.register(pastelli, options)
  app.stream('/aged', { topics: 'light', maxAge: age }, (request, { connection }) => { watch(`${protocol} /aged`, request, connection) })
  app.stream('/busy', { topics: 'heavy' }, (request, { connection }) => { watch(`${protocol} /busy`, request, connection) })
  app.connections.on('close', count)
  return app
}

const http1 = await serve(fastify({ keepAliveTimeout: IDLE }) as FastifyInstance, 'http1')
http1.stream('/socket', { topics: 'light', websocket: { init: (request, connection) => { watch('websocket /socket', request, connection) } } })
const http2 = await serve(fastify({ http2: true, http2SessionTimeout: IDLE }) as unknown as FastifyInstance, 'http2')
const apps = [http1, http2]
for (const app of apps) await app.listen({ port: 0, host: '0.0.0.0' })

let publisher: NodeJS.Timeout | undefined

function publish (): void {
  const text = numbered(numbers++)
  for (const { topics } of apps) {
    void topics.publish('light', text)
    void topics.publish('heavy', text.replace(/(?="\}$)/, HEAVY))
  }
}

// Told by the signal, by the promise and by the registry, each once.
const told = new WeakMap<Connection, { signal: number, promise: number, registry: number, tally: Tally }>()

function watch (kind: string, { ip }: { ip: string }, connection: Connection): void {
  const tally = tallyOf(`${ip.startsWith(doomed) ? 'cut' : 'healthy'} ${kind}`)
  const times = { signal: 0, promise: 0, registry: 0, tally }
  told.set(connection, times)
  tally.opened++
  tally.wrong++
  connection.signal.addEventListener('abort', () => { times.signal++ })
  void connection.closed.then(() => { times.promise++ })
}

function count (connection: Connection, reason: CloseReason): void {
  const times = told.get(connection)
  if (times === undefined) throw new Error('a connection closed that nobody has seen')
  times.registry++
  const { tally } = times
  const now = performance.now()
  tally.closed[reason] = (tally.closed[reason] ?? 0) + 1
  tally.last = now - marked
  if (reason === 'expired') {
    const lived = performance.timeOrigin + now - connection.openedAt
    tally.youngest = Math.min(tally.youngest, lived)
    tally.oldest = Math.max(tally.oldest, lived)
  }
  // Once all have been told.
  setImmediate(() => { if (times.signal === 1 && times.promise === 1 && times.registry === 1) tally.wrong-- })
}

function tallyOf (name: string): Tally {
  let tally = tallies.get(name)
  if (tally === undefined) tallies.set(name, tally = { opened: 0, closed: {}, wrong: 0, last: 0, youngest: Infinity, oldest: 0 })
  return tally
}

answer({
  ports: () => apps.map(({ server }) => (server.address() as AddressInfo).port),
  publish: () => { publisher = setInterval(publish, PUBLISH_EVERY) },
  /** What follows is counted anew. */
  forget: () => { tallies = new Map() },
  mark: () => { marked = performance.now() },
  tallies: () => Object.fromEntries(tallies),
  open: () => apps.reduce((sum, { connections }) => sum + connections.size, 0),
  remains: async (): Promise<Remains[]> => {
    clearInterval(publisher)
    for (const { topics } of apps) for (let i = 0; i < EVENTS; i++) void topics.publish('light', 'nothing')
    return [await remains(http1), await remains(http2)]
  }
}, lifetime * 1_000)
