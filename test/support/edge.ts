/** A server whose clients misbehave: with a neighbour who must not notice it, and a look at what they leave behind. */
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { CloseReason } from '../../index.ts'
import { openStream } from '../../testing/index.ts'
import { start, type Server, type ServerOptions } from './server.ts'
import { type Subscriber, subscribe } from './subscriber.ts'
import { until } from './until.ts'
import { Witness } from './witness.ts'

/**
 * Of a server whose sessions of HTTP/2 are broken: Node 20 does not close one that its library of HTTP/2 has given up, nor sees its client
 * leave. There our own deadlines find it while it has streams, and Fastify's when it has none.
 */
export const GIVING_UP = { http2: true, http2SessionTimeout: 2_000, pastelli: { heartbeat: 500, writeTimeout: 1_000, drain: 500 } }

export interface EdgeOptions extends ServerOptions {
  /** How many streams may be open at once. Default 3; Infinity is not tried. */
  places?: number
}

export interface Edge extends Server {
  /** Of all but the neighbour. */
  witness: Witness
  /**
   * Once all clients have gone: each stream that opened has closed, once and for this reason, in the order of opening; all
   * places are free, no socket, listener, timer or line in the log is left, and the neighbour's stream has gone on. Closes the app.
   */
  leavesNothing: (...reasons: CloseReason[]) => Promise<void>
}

export async function edge (t: Test, setup: (app: FastifyInstance) => unknown, options: EdgeOptions = {}): Promise<Edge> {
  const { places = 3, pastelli, ...rest } = options
  const before = resources()
  const warnings: Error[] = []
  const warned = (warning: Error) => { warnings.push(warning) }
  process.on('warning', warned)
  t.teardown(() => { process.removeListener('warning', warned) })
  const server = await start(t, async (app) => {
    app.stream('/neighbour', () => {})
    app.stream('/room', () => {})
    await setup(app)
  }, { ...rest, pastelli: { maxConnections: places + 1, maxConnectionsPerKey: places + 1, ...pastelli } })
  const { app, origin } = server
  const neighbour = await subscribe(t, origin, '/neighbour', { protocol: rest.http2 === true ? 'http2' : 'http1' })
  const witness = new Witness(app)

  const leavesNothing = async (...reasons: CloseReason[]) => {
    await witness.seesEach(t, reasons)
    await until(() => app.connections.size === 1, 'the registry has the neighbour alone')
    await untilSockets(app, 1)
    await hears(t, app, neighbour)
    t.same(server.noise(), [], 'nothing above info is logged')
    t.same(warnings, [], 'Node has nothing to warn of')
    if (places !== Infinity) await hasRoom(t, app, places)
    neighbour.leave()
    await untilSockets(app, 0)
    await app.close()
    await until(() => Object.entries(resources()).every(([name, count]) => count <= (before[name] ?? 0)), 'no socket and no timer is left in the process')
  }
  return { ...server, witness, leavesNothing }
}

/** Resolves when the server has so many sockets. */
export async function untilSockets (app: FastifyInstance, count: number): Promise<void> {
  let now = NaN
  await until(() => {
    app.server.getConnections((_error, connections) => { now = connections })
    return now === count
  }, `the server has ${count} sockets`)
}

async function hears (t: Test, app: FastifyInstance, neighbour: Subscriber): Promise<void> {
  const [connection] = app.connections
  connection?.event('still there')
  await neighbour.until('still there')
  t.equal(neighbour.text.replaceAll(': heartbeat\n\n', ''), ':\n\ndata: still there\n\n', 'the neighbour has noticed nothing')
}

async function hasRoom (t: Test, app: FastifyInstance, places: number): Promise<void> {
  const guests = []
  for (let place = 0; place < places; place++) guests.push(await openStream(app, { url: '/room' }))
  const refused = await openStream(app, { url: '/room' })
  t.same([...guests, refused].map(({ status }) => status === 200), [...guests.map(() => true), false], 'all places are free again, and no more')
  for (const guest of guests) guest.close()
  await until(() => app.connections.size === 1, 'the guests have left')
}

function resources (): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) {
    if (/^(?:TCP|TLS|Timeout)/.test(name)) counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
