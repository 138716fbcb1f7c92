/** Every metric, once for Prometheus and OpenTelemetry: what it is called in either, and how it is read off a snapshot. */
import type { Snapshot, StreamTotals } from './tally.ts'

/** The values of its labels, in their order, and its own. */
export type Sample = readonly [labels: readonly string[], value: number]

interface Named {
  /** For Prometheus, without a prefix. */
  readonly name: string
  /** For OpenTelemetry. */
  readonly instrument: string
  /** Of OpenTelemetry's values, in UCUM. */
  readonly unit: string
  readonly help: string
  /** Labels of Prometheus, and which attributes they are in OpenTelemetry. */
  readonly labels: Readonly<Record<string, string>>
}

/** What is read when somebody asks. */
export interface Metric extends Named {
  /**
   * - `total`: only rises
   * - `level`: what there is now; that of all processes is their sum
   * - `peak`: the largest there is now; that of all processes is the largest of theirs
   */
  readonly kind: 'total' | 'level' | 'peak'
  readonly read: (snapshot: Snapshot) => readonly Sample[]
}

/** What is recorded one by one. */
export interface Distribution extends Named {
  readonly bounds: readonly number[]
}

const STREAM = { transport: 'pastelli.transport', route: 'http.route' }
const NONE = {}

export const METRICS: readonly Metric[] = [
  {
    name: 'connections',
    instrument: 'pastelli.connection.count',
    kind: 'level',
    unit: '{connection}',
    help: 'Streams that are open.',
    labels: STREAM,
    read: ofStreams(({ connections }) => connections)
  },
  {
    name: 'connections_opened_total',
    instrument: 'pastelli.connection.opened',
    kind: 'total',
    unit: '{connection}',
    help: 'Streams that have opened.',
    labels: STREAM,
    read: ofStreams(({ opened }) => opened)
  },
  {
    name: 'connections_closed_total',
    instrument: 'pastelli.connection.closed',
    kind: 'total',
    unit: '{connection}',
    help: 'Streams that have ended, by the reason.',
    labels: { reason: 'pastelli.close.reason', route: 'http.route' },
    read: ({ closed }) => [...closed].flatMap(([route, counts]) => Object.entries(counts).map(([reason, count]): Sample => [[reason, route], count]))
  },
  {
    name: 'connections_behind',
    instrument: 'pastelli.connection.behind',
    kind: 'level',
    unit: '{connection}',
    help: 'Open streams that have not got everything that was published for them.',
    labels: STREAM,
    read: ofStreams(({ behind }) => behind)
  },
  {
    name: 'lag_max_seconds',
    instrument: 'pastelli.connection.lag.max',
    kind: 'peak',
    unit: 's',
    help: 'For how long the slowest open stream has been behind.',
    labels: STREAM,
    read: ofStreams(({ maxLag }) => maxLag / 1_000)
  },
  {
    name: 'buffered_bytes',
    instrument: 'pastelli.connection.buffered',
    kind: 'level',
    unit: 'By',
    help: 'Bytes sent to open streams and not yet taken by the operating system.',
    labels: STREAM,
    read: ofStreams(({ buffered }) => buffered)
  },
  {
    name: 'buffered_max_bytes',
    instrument: 'pastelli.connection.buffered.max',
    kind: 'peak',
    unit: 'By',
    help: 'Bytes sent and not yet taken by the operating system, of the open stream that has the most of them.',
    labels: STREAM,
    read: ofStreams(({ maxBuffered }) => maxBuffered)
  },
  {
    name: 'events_sent_total',
    instrument: 'pastelli.sent.events',
    kind: 'total',
    unit: '{event}',
    help: 'Events sent to clients.',
    labels: STREAM,
    read: ofStreams(({ events }) => events)
  },
  {
    name: 'sent_bytes_total',
    instrument: 'pastelli.sent.io',
    kind: 'total',
    unit: 'By',
    help: 'Bytes sent to clients, before they are compressed: with the heads of WebSocket frames, without the framing of chunks and of HTTP/2.',
    labels: STREAM,
    read: ofStreams(({ bytes }) => bytes)
  },
  {
    name: 'events_published_total',
    instrument: 'pastelli.published.events',
    kind: 'total',
    unit: '{event}',
    help: 'Events published by this process.',
    labels: NONE,
    read: ({ published }) => [[[], published]]
  },
  {
    name: 'published_bytes_total',
    instrument: 'pastelli.published.io',
    kind: 'total',
    unit: 'By',
    help: 'Bytes of the data of events published by this process.',
    labels: NONE,
    read: ({ publishedBytes }) => [[[], publishedBytes]]
  },
  {
    name: 'replays_total',
    instrument: 'pastelli.replay.count',
    kind: 'total',
    unit: '{replay}',
    help: 'Clients that came back, and were given what there still was of what they had missed.',
    labels: NONE,
    read: ({ replays }) => [[[], replays]]
  },
  {
    name: 'replayed_events_total',
    instrument: 'pastelli.replay.events',
    kind: 'total',
    unit: '{event}',
    help: 'Events that clients were given because they had missed them.',
    labels: NONE,
    read: ({ replayedEvents }) => [[[], replayedEvents]]
  },
  {
    name: 'gaps_total',
    instrument: 'pastelli.gap.count',
    kind: 'total',
    unit: '{gap}',
    help: 'Clients that were told that they missed something, by the reason.',
    labels: { reason: 'pastelli.gap.reason' },
    read: ({ gaps }) => byName(gaps)
  },
  {
    name: 'overflows_total',
    instrument: 'pastelli.overflow.count',
    kind: 'total',
    unit: '{overflow}',
    help: 'Clients that took too little, by what became of them.',
    labels: { policy: 'pastelli.overflow.policy' },
    read: ({ overflows }) => byName(overflows)
  }
]

export const DURATION: Distribution = {
  name: 'stream_duration_seconds',
  instrument: 'pastelli.stream.duration',
  unit: 's',
  help: 'How long streams were open that have ended.',
  labels: { route: 'http.route' },
  bounds: [0.1, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]
}

export const LATENCY: Distribution = {
  name: 'delivery_latency_seconds',
  instrument: 'pastelli.delivery.duration',
  unit: 's',
  help: 'From publish until it was written to all who have the same subscriptions and are not behind.',
  labels: NONE,
  bounds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
}

function ofStreams (figure: (totals: StreamTotals) => number): Metric['read'] {
  return ({ streams }) => streams.map((totals) => [[totals.transport, totals.route], figure(totals)])
}

function byName (counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([name, count]) => [[name], count])
}
