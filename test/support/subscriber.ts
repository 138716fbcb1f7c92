/** A client of an event stream over any protocol, which reads it as it comes and can come back where it was. */
import { once } from 'node:events'
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import { decoded } from './decode.ts'
import { EventReader } from './event-reader.ts'
import { until } from './until.ts'

export type Protocol = 'http1' | 'http2'

export interface SubscriberOptions {
  /** `Last-Event-ID`; empty or absent: none is sent. */
  lastEventId?: string | undefined
  headers?: Record<string, string>
  /** Default HTTP/1.1. */
  protocol?: Protocol
}

export class Subscriber extends EventReader {
  status = 0
  headers: IncomingHttpHeaders = {}
  isEnded = false
  /** Bytes received, compressed or not. */
  bytes = 0
  /** What is wrong with what came compressed: it was cut off, or is not what it says. */
  failure: Error | null = null
  /** Leaves, as a client does. */
  leave: () => void = () => {}
  /** Reads no more, until `resume`. */
  pause: () => void = () => {}
  resume: () => void = () => {}

  /** Resolves once so many events, gaps included, have been read. */
  async count (events: number): Promise<void> {
    await until(() => this.events.length >= events, `${events} events are here; there were ${this.events.length}: ${this.text.slice(-500)}`)
  }

  /** Resolves once this text has been read. */
  async until (text: string): Promise<void> {
    await until(() => this.text.includes(text) || this.isEnded, `${JSON.stringify(text)} was read; it was ${JSON.stringify(this.text.slice(-2_000))}`)
    if (!this.text.includes(text)) throw new Error(`the stream ended before ${JSON.stringify(text)}; read: ${JSON.stringify(this.text.slice(-2_000))}`)
  }

  /** Resolves once the stream has ended, however. */
  async ended (): Promise<void> {
    await until(() => this.isEnded, 'the stream ends')
  }
}

/** Resolves when the head is there; the client goes away with the test. */
export async function subscribe (t: Test, origin: string, path: string, options: SubscriberOptions = {}): Promise<Subscriber> {
  const subscriber = new Subscriber()
  const { lastEventId = '', protocol = 'http1' } = options
  const headers = { ...options.headers, ...lastEventId !== '' && { 'last-event-id': lastEventId } }
  if (protocol === 'http2') await openHttp2(t, subscriber, origin, path, headers)
  else await openHttp1(t, subscriber, origin, path, headers)
  return subscriber
}

async function openHttp1 (t: Test, subscriber: Subscriber, origin: string, path: string, headers: Record<string, string>): Promise<void> {
  const client = origin.startsWith('https') ? https : http
  const request = client.request(origin + path, { headers, agent: false, rejectUnauthorized: false })
  t.teardown(() => { request.destroy() })
  request.end()
  const [response] = await once(request, 'response') as [IncomingMessage]
  subscriber.status = response.statusCode as number
  subscriber.headers = response.headers
  subscriber.leave = () => { request.destroy() }
  subscriber.pause = () => { response.pause() }
  subscriber.resume = () => { response.resume() }
  readInto(subscriber, response)
}

async function openHttp2 (t: Test, subscriber: Subscriber, origin: string, path: string, headers: Record<string, string>): Promise<void> {
  const session = http2.connect(origin, { rejectUnauthorized: false })
  t.teardown(() => { session.destroy() })
  const stream = session.request({ ':path': path, ...headers })
  stream.on('error', () => {})
  stream.on('close', () => { if (subscriber.status === 0) subscriber.isEnded = true })
  const [received] = await once(stream, 'response') as [http2.IncomingHttpHeaders]
  subscriber.status = Number(received[':status'])
  subscriber.headers = received as IncomingHttpHeaders
  readInto(subscriber, stream)
  subscriber.leave = () => { session.destroy() }
  subscriber.pause = () => { stream.pause() }
  subscriber.resume = () => { stream.resume() }
}

function readInto (subscriber: Subscriber, body: Readable): void {
  body.on('error', () => {})
  body.on('data', (bytes: Buffer) => { subscriber.bytes += bytes.length })
  const text = decoded(body, subscriber.headers['content-encoding'], (error) => { subscriber.failure = error })
  text.on('error', () => {})
  text.on('data', (bytes: Buffer) => { subscriber.feed(bytes) })
  text.on('close', () => { subscriber.isEnded = true })
}
