/** Every option, its default and its rule. */
import { PST_ERR_OPTION } from './errors.ts'
import { type Coding, CODINGS } from './connection/coding.ts'
import { FORMAT_NAMES, type FormatName } from './connection/formats.ts'
import { type AllowedOrigins, areOrigins, ORIGINS_RULE } from './connection/origins.ts'
import type { Log } from './topics/log.ts'
import type { CanSubscribe } from './topics/rights.ts'
import type { CustomFormat } from './wire/format.ts'

/** What may differ from route to route. Times are in ms, sizes in bytes; 0 turns a time off. */
export interface StreamSettings<Request = unknown> {
  /**
   * A comment goes out 1 to 1.5 times this long after the last byte of an event stream. Keep it below the idle
   * timeout of every proxy on the way.
   * @default 15000
   */
  heartbeat: number
  /**
   * The type of the heartbeat's event, for clients that watch for silence (a comment is invisible to `EventSource`). The
   * first one tells the position when the stream opens: the `EventSource` of Firefox and Safari passes over an id without data.
   * @default null: the heartbeat is a comment
   */
  heartbeatEvent: string | null
  /**
   * The reconnection delay told to the client when its stream opens.
   * @default 0: not told; browsers wait 3 to 5 s
   */
  retry: number
  /**
   * The longest that a stream lives; it then ends with the reason `expired`, after 75 to 100 % of it, at random, so
   * that clients that came together do not come back together.
   * @default 0: for ever
   */
  maxAge: number
  /**
   * How long a client may take none of the bytes that wait for it before it is cut with the reason `timeout`. What is given
   * to the operating system while more waits is seen to be taken as a whole: at most `maxBuffered`, and the event that went above it.
   * @default 60000
   */
  writeTimeout: number
  /**
   * Sends answer `true` at once while no more than this is queued; above it, with a promise. At most `maxBuffered`.
   * @default 65536, or `maxBuffered` where that is less
   */
  highWaterMark: number
  /**
   * A send made while more than this is queued cuts the connection with the reason `overflow`.
   * @default 1048576
   */
  maxBuffered: number
  /**
   * How many streams may be open at once: on the server, or, as a route's option, on that route. Above it a request
   * is refused with 503.
   * @default Infinity
   */
  maxConnections: number
  /**
   * How many streams may be open at once for one `key`. Above it a request is refused with 429.
   * @default Infinity
   */
  maxConnectionsPerKey: number
  /**
   * Tells clients apart for `maxConnectionsPerKey`.
   * @default (request) => request.ip
   */
  key: (request: Request) => string
  /**
   * What becomes of a connection that is so slow that the log was trimmed behind it: it is cut with the reason
   * `overflow`, and learns of the gap when it comes back; or it is told of the gap, and goes on with what is new.
   * @default 'disconnect'
   */
  overflow: 'disconnect' | 'skip'
  /**
   * The formats of a stream route, best first; its clients choose by `Accept`. One alone is for everybody.
   * @default ['event-stream', 'ndjson', 'text', 'json']
   */
  formats: ReadonlyArray<FormatName | CustomFormat>
  /**
   * How streams are compressed, best first, for clients that accept it: each event so that it can be read at once. With
   * `gzip` what many subscribers get is compressed once for all; `zstd` counts where this Node has it. Not for streams
   * that hold both a secret and what an attacker can choose: their size tells the one from the other.
   * @default []: not at all
   */
  compression: readonly Coding[]
  /**
   * The data of the event `error` that a client gets when what feeds its stream fails.
   * @default () => ({ message: 'Internal Server Error' }): no more than that something failed
   */
  errorData: (error: unknown) => unknown
  /**
   * The data of a last event, such as `[DONE]`: event streams get it when what feeds them has come to its end, and only
   * then, so that their clients can tell an end from a cut. Other formats have none.
   * @default null: the stream just ends
   */
  terminator: string | null
}

/** What WebSockets have in common. */
export interface WebSocketSettings<Request = unknown> {
  /**
   * A client that sends a larger message is closed with 1009, bytes. Only what Pastelli itself registers @fastify/websocket with.
   * @default 1048576
   */
  maxPayload: number
  /**
   * Whose pages may open one; all others get 403.
   * @default null: those of the host that was asked
   */
  allowedOrigins: AllowedOrigins<Request>
}

export interface Settings<Request = unknown> extends StreamSettings<Request> {
  /**
   * How long shutdown waits for open streams to end before it cuts them. The same time bounds a stream that was
   * closed and whose client does not take the rest.
   * Fastify's `pluginTimeout`, 10 s unless the app says otherwise, bounds it too: responses over HTTP/1.1 have nine tenths of that.
   * @default 10000
   */
  drain: number
  /**
   * What is published within this time goes out together: fewer writes, more latency.
   * @default 0: what is published in one tick
   */
  coalesce: number
  /**
   * Where published events are kept, for those who come back and those who are slow.
   * @default null: a `memoryLog()` of the app's own
   */
  log: Log | null
  /**
   * Whether the client of this request may be subscribed to the topic: asked on every subscription, and again on
   * `topics.reauthorize()`. With it, requests are kept as long as their connections.
   * @default null: everybody may
   */
  canSubscribe: CanSubscribe<Request> | null
  /**
   * WebSockets, through @fastify/websocket, which is registered unless the app did that before; false: there are none.
   * @default {}
   */
  websocket: false | Readonly<WebSocketSettings<Request>>
}

// The names as a parameter of their own, so that the properties keep their documentation.
type Optional<All, Name extends keyof All = keyof All> = { [Key in Name]?: All[Key] | undefined }

/** What `register` takes. */
export interface Options<Request = unknown> extends Optional<Settings<Request>, Exclude<keyof Settings, 'websocket'>> {
  /**
   * WebSockets, through @fastify/websocket, which is registered unless the app did that before; false: there are none.
   * @default {}
   */
  websocket?: false | Optional<WebSocketSettings<Request>> | undefined
}

/** What a stream route takes besides Fastify's own route options. */
export type StreamOptions<Request = unknown> = Optional<StreamSettings<Request>>

/** What clients learn of an error unless the app says more. */
export function hideError (): unknown {
  return { message: 'Internal Server Error' }
}

const WEBSOCKET_DEFAULTS: Readonly<WebSocketSettings> = Object.freeze({ maxPayload: 1024 * 1024, allowedOrigins: null })

const DEFAULTS: Readonly<Settings<{ ip?: string }>> = Object.freeze({
  heartbeat: 15_000,
  heartbeatEvent: null,
  retry: 0,
  maxAge: 0,
  writeTimeout: 60_000,
  highWaterMark: 64 * 1024,
  maxBuffered: 1024 * 1024,
  maxConnections: Infinity,
  maxConnectionsPerKey: Infinity,
  key: (request: { ip?: string }) => request.ip ?? '',   // a Unix socket has none
  overflow: 'disconnect',
  formats: FORMAT_NAMES,
  compression: [],
  errorData: hideError,
  terminator: null,
  drain: 10_000,
  coalesce: 0,
  log: null,
  canSubscribe: null,
  websocket: WEBSOCKET_DEFAULTS
})

interface Rule { says: string, holds: (value: unknown) => boolean }

// The longest delay that a Node timer can hold.
const MAX_MS = 2 ** 31 - 1
const isCount = (value: unknown) => value === Infinity || (Number.isSafeInteger(value) && value as number >= 1)
const time: Rule = {
  says: `an integer of milliseconds from 0 (off) to ${MAX_MS}`,
  holds: (value) => Number.isInteger(value) && value as number >= 0 && value as number <= MAX_MS
}
export const size: Rule = { says: 'a positive integer of bytes', holds: (value) => Number.isSafeInteger(value) && value as number >= 1 }
export const count: Rule = { says: 'a positive integer or Infinity', holds: isCount }

const RULES: Readonly<Record<keyof Settings, Rule>> = {
  heartbeat: time,
  heartbeatEvent: {
    says: 'null or a type of event, not empty and without CR, LF and NUL',
    holds: (value) => value === null || (typeof value === 'string' && value !== '' && !/[\r\n\0]/.test(value) && value.isWellFormed())
  },
  retry: time,
  maxAge: time,
  writeTimeout: time,
  highWaterMark: size,
  maxBuffered: size,
  maxConnections: count,
  maxConnectionsPerKey: count,
  key: { says: 'a function from a request to a string', holds: (value) => typeof value === 'function' },
  formats: { says: `a list of ${FORMAT_NAMES.join(', ')}, or { type, encode }, each once`, holds: areFormats },
  compression: { says: `a list of ${CODINGS.join(', ')}, each once`, holds: areCodings },
  errorData: { says: 'a function from an error to what its client is told', holds: (value) => typeof value === 'function' },
  terminator: { says: 'null or some text', holds: (value) => value === null || (typeof value === 'string' && value !== '' && value.isWellFormed()) },
  overflow: { says: '"disconnect" or "skip"', holds: (value) => value === 'disconnect' || value === 'skip' },
  drain: { says: `an integer of milliseconds from 1 to ${MAX_MS}`, holds: (value) => time.holds(value) && value !== 0 },
  coalesce: time,
  log: { says: 'null or a log, such as memoryLog()', holds: (value) => value === null || isLog(value) },
  canSubscribe: { says: 'null or a function from a request and a topic to a boolean', holds: (value) => value === null || typeof value === 'function' },
  websocket: { says: 'false or { maxPayload, allowedOrigins }', holds: (value) => value === false || (typeof value === 'object' && value !== null && !Array.isArray(value)) }
}

// A route can't have its own.
const REGISTER_ONLY = ['drain', 'coalesce', 'log', 'canSubscribe', 'websocket'] as const

function areFormats (value: unknown): boolean {
  return Array.isArray(value) && value.length !== 0 && new Set(value).size === value.length &&
    value.every((format: unknown) => typeof format === 'string' ? FORMAT_NAMES.includes(format as FormatName) : isCustomFormat(format))
}

function areCodings (value: unknown): boolean {
  return Array.isArray(value) && new Set(value).size === value.length && value.every((coding: unknown) => CODINGS.includes(coding as Coding))
}

function isCustomFormat (value: unknown): boolean {
  const { type, encode } = Object(value) as Partial<CustomFormat>
  return typeof type === 'string' && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type) && typeof encode === 'function'
}

function isLog (value: unknown): boolean {
  const { append, read, follow } = Object(value) as Partial<Log>
  return [append, read, follow].every((method) => typeof method === 'function')
}

/**
 * The options given to `register`, checked and completed.
 * @throws PST_ERR_OPTION for an option that is wrong or unknown
 */
export function parseOptions (options: object): Readonly<Settings> {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(RULES, name)) throw new PST_ERR_OPTION(name, `one of ${Object.keys(RULES).join(', ')}`, 'an unknown option')
  }
  const { websocket = {} } = options as Options
  const settings = complete(options, DEFAULTS as Settings)
  return websocket === false ? settings : Object.freeze({ ...settings, websocket: completeWebSocket(websocket, WEBSOCKET_DEFAULTS) })
}

/**
 * A route's own settings over the instance's.
 * @param options the route's options: what is not a setting is Fastify's and left alone
 * @throws PST_ERR_OPTION
 */
export function parseStreamOptions (options: object, settings: Readonly<Settings>): Readonly<Settings> {
  for (const name of REGISTER_ONLY) {
    if (Object.hasOwn(options, name)) throw new PST_ERR_OPTION(name, 'given at register: a route can\'t have its own', show((options as Record<string, unknown>)[name]))
  }
  return complete(options, settings)
}

const WEBSOCKET_RULES: Readonly<Record<keyof WebSocketSettings, Rule>> = {
  maxPayload: size,
  allowedOrigins: { says: ORIGINS_RULE, holds: areOrigins }
}

/**
 * The settings of WebSockets, or of one route's.
 * @param others what may be given besides, and is not looked at
 * @throws PST_ERR_OPTION
 */
export function completeWebSocket (given: object, defaults: Readonly<WebSocketSettings>, others: readonly string[] = []): Readonly<WebSocketSettings> {
  const known = [...Object.keys(WEBSOCKET_RULES), ...others]
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw new PST_ERR_OPTION(`websocket.${name}`, `one of ${known.join(', ')}`, 'an unknown option')
  }
  const settings: Record<string, unknown> = { ...defaults }
  for (const [name, rule] of Object.entries(WEBSOCKET_RULES)) {
    const value = (given as Record<string, unknown>)[name]
    if (value === undefined) continue
    if (!rule.holds(value)) throw new PST_ERR_OPTION(`websocket.${name}`, rule.says, show(value))
    settings[name] = value
  }
  return Object.freeze(settings) as unknown as Readonly<WebSocketSettings>
}

function complete (given: Options<never>, defaults: Readonly<Settings>): Readonly<Settings> {
  const settings: Record<string, unknown> = { ...defaults }
  for (const [name, rule] of Object.entries(RULES)) {
    const value = (given as Record<string, unknown>)[name]
    if (value === undefined) continue
    if (!rule.holds(value)) throw new PST_ERR_OPTION(name, rule.says, show(value))
    settings[name] = value
  }
  const { highWaterMark, maxBuffered } = settings as unknown as Settings
  if (highWaterMark > maxBuffered) {
    // Senders who wait for room would be cut before they are told to wait.
    if (given.highWaterMark !== undefined) throw new PST_ERR_OPTION('highWaterMark', `at most maxBuffered (${maxBuffered})`, show(highWaterMark))
    settings['highWaterMark'] = maxBuffered
  }
  return Object.freeze(settings) as unknown as Readonly<Settings>
}

/** A wrong value as messages show it. */
export function show (value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}
