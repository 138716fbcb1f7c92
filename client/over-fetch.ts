/** An attempt by `fetch`. */
import { StreamError } from './errors.ts'
import { eventStreamReader } from './event-stream.ts'
import type { Link, Transport } from './link.ts'
import type { ConnectOptions } from './types.ts'

const NO_MORE = 204                          // [spec] a client that is told so stops
const LATER = [408, 425, 429]                // what a client may try again
// What is read of a refusal's body, in characters and ms: it may have no end.
const MOST_TEXT = 65_536
const MOST_TIME = 5_000

const EVENT_STREAM = 'text/event-stream'

export const overFetch: Transport = async (link) => {
  const { url, signal } = link
  const response = await (link.options.fetch ?? fetch)(url, await request(link))
  if (response.status === NO_MORE) return false
  if (response.status !== 200) throw await refusal(response)
  const type = response.headers.get('content-type')
  if (response.body === null || !type?.toLowerCase().startsWith(EVENT_STREAM)) {
    void response.body?.cancel().catch(() => {})
    throw new StreamError('PST_ERR_NO_STREAM', `${url.href} answered with ${type ?? 'no content type'}`, { status: 200, isFinal: true })
  }
  link.opened()
  const read = eventStreamReader(link)
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  for (;;) {
    if (link.isFull()) await link.room()
    const { done, value } = await reader.read()   // rejects when the signal aborts
    if (signal.aborted || done) return true
    link.heard()
    read(decoder.decode(value, { stream: true }))
  }
}

async function request ({ options, lastEventId, signal }: Link): Promise<RequestInit> {
  const { method = 'GET', credentials = 'same-origin' } = options
  const headers = new Headers(await ask(options.headers))
  if (!headers.has('accept')) headers.set('accept', EVENT_STREAM)
  // A header is bytes: [spec] those of the id in UTF-8.
  if (lastEventId) headers.set('last-event-id', String.fromCharCode(...new TextEncoder().encode(lastEventId)))
  const body = await ask(options.body)
  const init: RequestInit & { cache: 'no-store' } = { method, headers, credentials, signal, cache: 'no-store' }
  if (body != null) init.body = body
  if (readsOnce(body)) init.duplex = 'half'   // [spec] required with a stream
  return init
}

function ask<Value> (option: Value | (() => Value | PromiseLike<Value>)): Value | PromiseLike<Value> {
  return typeof option === 'function' ? (option as () => Value)() : option
}

/** Whether a body is gone when it has been sent. */
export function readsOnce (body: ConnectOptions['body']): boolean {
  return body instanceof ReadableStream || (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
}

async function refusal (response: Response): Promise<StreamError> {
  const { status, headers, url } = response
  const isFinal = status < 500 && !LATER.includes(status)
  return new StreamError('PST_ERR_REFUSED', `${url} answered with ${status}`, {
    status, isFinal, body: await textOf(response), retryAfter: status === 429 || status === 503 ? parseRetryAfter(headers.get('retry-after')) : undefined
  })
}

// As much as there is: whatever becomes of the body, the status counts.
async function textOf ({ body }: Response): Promise<string> {
  let text = ''
  if (body === null) return text
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const stop = () => { reader.cancel().catch(() => {}) }   // what is being read is done then
  const timer = setTimeout(stop, MOST_TIME)
  try {
    while (text.length < MOST_TEXT) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value, { stream: true })
    }
  } catch {}
  clearTimeout(timer)
  stop()
  return text.slice(0, MOST_TEXT)
}

// [RFC 9110, 10.2.3] seconds, or a date.
function parseRetryAfter (value: string | null): number | undefined {
  if (value === null) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now()
  return ms > 0 ? ms : undefined
}
