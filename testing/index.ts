/**
 * `pastelli/testing`: opens a stream on an app and reads it as a client does.
 * @module pastelli/testing
 */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { FastifyInstance } from 'fastify'
import { type Answer, type OpenStream, ReadStream } from './read-stream.ts'

export type { OpenStream, StreamEnd, StreamEvent } from './read-stream.ts'

/** What is asked for, and how. */
export interface OpenOptions {
  /** The path; it may carry a query of its own. */
  url: string
  /** @default 'GET', with a body 'POST' */
  method?: string
  headers?: Record<string, string>
  /** Sent as it is if it is text or bytes, everything else as JSON. */
  body?: unknown
  query?: Record<string, string>
  /** What the client had seen last: the `Last-Event-ID` header. */
  lastEventId?: string
  /**
   * `inject` needs no socket; `port` is a connection of its own to the app, which has to listen, over HTTP/1.1 or its
   * twin over TLS, whoever signed the certificate.
   * @default 'inject'
   */
  via?: 'inject' | 'port'
  /** Leaves when it aborts. */
  signal?: AbortSignal
}

/** Any Fastify app. */
export type App = Pick<FastifyInstance, 'inject' | 'addresses'> & { readonly initialConfig: Pick<FastifyInstance['initialConfig'], 'https' | 'http2'> }

interface Request {
  method: string
  path: string
  headers: Record<string, string>
  body: string | Uint8Array | undefined
  signal: AbortSignal | undefined
}

/**
 * Opens a stream on the app; resolves when the head of the response is there, whatever its status.
 * @example
 * const stream = await openStream(app, { url: '/news', lastEventId: '41' })
 * t.equal(stream.status, 200)
 * t.match(await stream.next(), { event: 'headline', id: '42' })
 * stream.close()
 */
export async function openStream (app: App, options: OpenOptions): Promise<OpenStream> {
  const { via = 'inject', signal } = options
  signal?.throwIfAborted()
  const request = compose(options)
  const asking = via === 'port' ? requestByPort(app, request) : requestByInject(app, request)
  const opening = asking.then((answer) => new ReadStream(answer))
  return await new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal?.reason)
      // Injected, a request whose body was read can't be aborted before its head: it leaves as soon as that is there.
      opening.then((stream) => { stream.close() }, () => {})
    }
    signal?.addEventListener('abort', abort)
    opening.then(async (stream) => {
      resolve(stream)
      await stream.ended
    }).catch(reject).finally(() => { signal?.removeEventListener('abort', abort) })
  })
}

function compose ({ url, query, body, method = body === undefined ? 'GET' : 'POST', headers: given, lastEventId, signal }: OpenOptions): Request {
  const headers = new Headers(given)
  if (!headers.has('accept')) headers.set('accept', 'text/event-stream')
  // A browser sends UTF-8, and no header for an empty id.
  if (lastEventId) headers.set('last-event-id', Buffer.from(lastEventId).toString('latin1'))
  const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  if (!isRaw && !headers.has('content-type')) headers.set('content-type', 'application/json')
  const search = query === undefined ? '' : (url.includes('?') ? '&' : '?') + String(new URLSearchParams(query))
  return { method, path: url + search, headers: Object.fromEntries(headers), body: isRaw ? body : JSON.stringify(body), signal }
}

async function requestByInject (app: App, { path, body, signal, ...request }: Request): Promise<Answer> {
  const response = await app.inject({ ...request, url: path, payloadAsStream: true, ...body !== undefined && { body }, ...signal && { signal } })
  const { statusCode: status, headers, raw } = response
  return { status, headers, body: response.stream(), leave: () => { raw.res.destroy() } }
}

async function requestByPort (app: App, { body, ...request }: Request): Promise<Answer> {
  const { https: secure, http2 } = app.initialConfig
  const [address] = app.addresses()
  if (address === undefined) throw new Error('openStream by port needs an app that listens: await app.listen() before it')
  if (http2 === true && !(typeof secure === 'object' && secure.allowHTTP1)) {
    throw new Error('openStream by port speaks HTTP/1.1, and this app only HTTP/2: set allowHTTP1, or open the stream by inject')
  }
  const place = typeof address === 'string' ? { socketPath: address } : { host: address.address, port: address.port }
  const outgoing = (secure ? https : http).request({ ...place, ...request, agent: false, rejectUnauthorized: false })
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject).end(body)
  })
  return { status: incoming.statusCode as number, headers: incoming.headers, body: incoming, leave: () => { outgoing.destroy() } }
}
