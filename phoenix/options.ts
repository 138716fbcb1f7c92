/** What `app.register(phoenix, options)` takes, and what is made of it. */
import type { FastifyRequest } from 'fastify'
import { PST_ERR_OPTION } from '../lib/errors.ts'
import { type Settings, show, type StreamOptions, type WebSocketSettings } from '../lib/options.ts'
import type { Channel } from './channel.ts'
import { Router } from './router.ts'

/**
 * Whether a client may connect: what its memberships keep in `socket.state` at first, or `false`.
 * @param params of the query, as the client's `params` say
 * @param authToken the client's, if it has one
 */
export type Connect = (params: Record<string, unknown>, request: FastifyRequest, authToken: string | null) => object | false | Promise<object | false>

/** Besides these, all settings of a stream route, for its connections: `maxConnections`, `heartbeat`, … */
export interface PhoenixOptions extends Omit<StreamOptions<FastifyRequest>, keyof typeof UNSAID | 'formats' | 'compression'> {
  /** Where clients connect: `new Socket('/socket')`. @default '/socket' */
  path?: string | undefined
  /** @default everybody may, with nothing in their state */
  connect?: Connect | undefined
  /** By topic, or by how topics begin: `rooms:*`. A topic of its own goes before, then the longest beginning. */
  channels: Readonly<Record<string, Channel>>
  /** How many topics one client may have joined. @default 1000 */
  maxTopics?: number | undefined
  /** Who may open a WebSocket, and how large its messages may be: as at the registration of pastelli. */
  websocket?: Partial<WebSocketSettings<FastifyRequest>> | undefined
  /** How long a poll of a client without WebSockets waits for a message, ms. @default 10000 */
  pollWindow?: number | undefined
  /** How long such a client may stay away between two polls before its connection ends with `timeout`, ms. @default 20000 */
  pollTimeout?: number | undefined
}

export interface Parsed {
  readonly path: string
  readonly connect: Connect
  readonly router: Router
  readonly maxTopics: number
  readonly pollWindow: number
  readonly pollTimeout: number
  readonly websocket: Partial<WebSocketSettings<FastifyRequest>>
  /** What its routes are declared with. */
  readonly stream: StreamOptions<FastifyRequest>
}

// Phoenix has no name for what these would send.
const UNSAID = { heartbeatEvent: null, terminator: null, retry: 0, overflow: 'disconnect' } as const

// What is sent is no response.
const RESPONSES = ['formats', 'compression']

// Fastify's, which has taken them already.
const FASTIFYS = ['prefix', 'logLevel', 'logSerializers']

const isWhole = (value: unknown) => Number.isInteger(value) && value as number >= 1 && value as number < 2 ** 31
const isText = (value: unknown) => typeof value === 'string' && value.startsWith('/') && !value.endsWith('/')
const isFunction = (value: unknown) => typeof value === 'function'

/** @throws PST_ERR_OPTION */
export function parse (options: PhoenixOptions, settings: Readonly<Settings>): Parsed {
  const { path, connect, channels, maxTopics, pollWindow, pollTimeout, websocket, ...rest } = options
  const stream: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(rest)) {
    if (FASTIFYS.includes(name)) continue
    if (!Object.hasOwn(settings, name)) throw new PST_ERR_OPTION(name, 'an option of phoenix or a setting of a stream route', 'an unknown option')
    if (Object.hasOwn(UNSAID, name) || RESPONSES.includes(name)) throw new PST_ERR_OPTION(name, 'left out: clients of Phoenix have nothing like it', show(value))
    stream[name] = value
  }
  return {
    path: either('path', path, '/socket', isText, 'a path that begins with a slash and does not end with one'),
    connect: either('connect', connect, () => ({}), isFunction, 'a function from the parameters and the request to a state or false'),
    router: new Router(channels),
    maxTopics: either('maxTopics', maxTopics, 1_000, (value) => value === Infinity || isWhole(value), 'a positive integer or Infinity'),
    pollWindow: either('pollWindow', pollWindow, 10_000, isWhole, 'a positive integer of milliseconds'),
    pollTimeout: either('pollTimeout', pollTimeout, 20_000, isWhole, 'a positive integer of milliseconds'),
    websocket: either('websocket', websocket, {}, (value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'an object'),
    stream: { ...stream, ...UNSAID }
  }
}

function either<Value> (name: string, given: Value | undefined, standard: Value, holds: (value: unknown) => boolean, rule: string): Value {
  if (given === undefined) return standard
  if (!holds(given)) throw new PST_ERR_OPTION(name, rule, show(given))
  return given
}
