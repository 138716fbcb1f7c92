/** What connections come to, by route and transport: one pass over them, which gives the event loop back in between. */
import type { Connection } from './connection.ts'
import { nextTurn } from './tick.ts'
import type { TransportName } from './transport.ts'

/** Of the connections of one route over one transport. */
export interface Figures {
  /** The route's pattern. */
  readonly route: string
  readonly transport: TransportName
  connections: number
  /** Sent since they opened. */
  events: number
  bytes: number
  /** Bytes sent and not yet taken by the operating system: of all, and of the one with the most. */
  buffered: number
  maxBuffered: number
  /** How many have not got everything that was published for them, and for how long the slowest of them has not, ms. */
  behind: number
  maxLag: number
}

// A pass lets others have the event loop after so long, ms.
const SLICE = 2

// The clock is read after so many connections: about 0.15 ms, cold 0.6.
const READ_CLOCK_EVERY = 128

/**
 * Those that are there when it is called: who ends meanwhile counts with all that it was sent, who opens meanwhile does not count.
 */
export async function figuresOf (connections: Iterable<Connection>): Promise<Figures[]> {
  const byRoute = new Map<string, Map<TransportName, Figures>>()
  let end = performance.now() + SLICE
  for (const [i, connection] of [...connections].entries()) {
    if (i % READ_CLOCK_EVERY === READ_CLOCK_EVERY - 1 && performance.now() > end) {
      await nextTurn()
      end = performance.now() + SLICE
    }
    add(figuresFor(byRoute, connection), connection)
  }
  return [...byRoute.values()].flatMap((byTransport) => [...byTransport.values()])
}

function figuresFor (byRoute: Map<string, Map<TransportName, Figures>>, { route, transport }: Connection): Figures {
  const name = transport as TransportName   // it is open
  let byTransport = byRoute.get(route)
  if (byTransport === undefined) byRoute.set(route, byTransport = new Map())
  let figures = byTransport.get(name)
  if (figures === undefined) {
    figures = { route, transport: name, connections: 0, events: 0, bytes: 0, buffered: 0, maxBuffered: 0, behind: 0, maxLag: 0 }
    byTransport.set(name, figures)
  }
  return figures
}

function add (figures: Figures, connection: Connection): void {
  const { queued } = connection
  figures.connections++
  figures.events += connection.events
  figures.bytes += connection.bytes
  figures.buffered += queued
  if (queued > figures.maxBuffered) figures.maxBuffered = queued
  const behindSince = connection.cursor?.behindSince ?? 0
  if (behindSince === 0) return
  figures.behind++
  figures.maxLag = Math.max(figures.maxLag, performance.now() - behindSince)
}
