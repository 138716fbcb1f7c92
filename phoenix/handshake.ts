/** How a client introduces itself: what it says in its first request, and whether the app lets it connect. */
import type { FastifyRequest } from 'fastify'
import { PST_ERR_ARGUMENT, PST_ERR_VERSION } from '../lib/errors.ts'
import type { Connect } from './options.ts'

// The client's: "phoenix", and behind it a token in base64url with this before it.
const TOKEN_PROTOCOL = 'base64url.bearer.phx.'

/** What the query of a request says. */
export interface Query {
  /** The app's. */
  params: Record<string, unknown>
  /** Of a poll, that of its session. */
  token: string | null
  version: unknown
}

/**
 * The client of long polling puts its own `token` behind the app's parameters, where there may be one of the same name.
 * @param isToken tells the one from the other
 */
export function readQuery (query: unknown, isToken: (value: unknown) => boolean): Query {
  const { vsn: version, ...params } = query as Record<string, unknown>
  const given = [params['token']].flat()
  const token = isToken(given.at(-1)) ? given.pop() as string : null
  if (given[0] === undefined) delete params['token']
  else params['token'] = given[0]
  return { params, token, version }
}

/**
 * The state of a client that may connect, `false` for one that may not.
 * @throws PST_ERR_VERSION, PST_ERR_ARGUMENT, and what the app throws
 */
export async function admit (connect: Connect, { params, version }: Query, request: FastifyRequest): Promise<object | false> {
  if (!/^2\.\d+\.\d+$/.test(String(version))) throw new PST_ERR_VERSION(JSON.stringify(version) ?? 'the first')
  const state: unknown = await connect(params, request, authToken(request))
  if (state !== false && (typeof state !== 'object' || state === null)) throw new PST_ERR_ARGUMENT('connect', 'answers that are an object or false', typeof state)
  return state
}

function authToken ({ headers }: FastifyRequest): string | null {
  const header = headers['x-phoenix-authtoken']
  if (typeof header === 'string') return header
  const protocol = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()).find((name) => name.startsWith(TOKEN_PROTOCOL))
  return protocol === undefined ? null : Buffer.from(protocol.slice(TOKEN_PROTOCOL.length), 'base64url').toString('latin1')   // `btoa` takes one byte a character
}
