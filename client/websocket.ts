/**
 * `pastelli/client/websocket`: events over a WebSocket, as messages of JSON, `{ id, event, retry, data }`, with what each has.
 * @module pastelli/client/websocket
 */
import { refused, StreamError } from './errors.ts'
import { parseJson } from './event-stream.ts'
import type { Link, Transport } from './link.ts'
import type { ConnectOptions } from './types.ts'

interface Message { id?: unknown, event?: unknown, retry?: unknown, data?: unknown }

const NORMAL = 1000

// Gone, without a code, cut, expired (1008), failed, restarted, overloaded, behind a bad gateway, timed out: those come back.
// The others are about what the client did, or the app's own.
const COME_BACK = [1001, 1005, 1006, 1008, 1011, 1012, 1013, 1014, 3008]

const FOR_FETCH = ['method', 'headers', 'body', 'credentials', 'fetch'] as const

/** For `connect(address, { transport: webSocket })`. The address may begin with `http:`, too. */
export const webSocket: Transport = Object.assign(attempt, { isPushed: true, check })

function check (options: ConnectOptions): void {
  for (const name of FOR_FETCH) if (options[name] !== undefined) throw refused(name, 'left out: a WebSocket can\'t have it')
  if (webSocketOf(options) === undefined) throw refused('WebSocket', 'given, since there is no global one here')
}

function webSocketOf (options: ConnectOptions): ConnectOptions['WebSocket'] {
  return options.WebSocket ?? (globalThis as { WebSocket?: ConnectOptions['WebSocket'] }).WebSocket
}

function attempt (link: Link): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const { signal, lastEventId, url } = link
    url.hash = ''
    url.protocol = url.protocol.replace('http', 'ws')
    if (lastEventId) url.searchParams.set('lastEventId', lastEventId)
    const socket = new (webSocketOf(link.options)!)(url.href)
    const leave = () => {
      socket.onopen = socket.onmessage = socket.onclose = null
      socket.close()
    }
    signal.addEventListener('abort', leave)
    socket.binaryType = 'arraybuffer'
    const end = ({ code, reason }: { code: number, reason: string }) => {
      signal.removeEventListener('abort', leave)
      if (code === NORMAL) resolve(true)
      else reject(new StreamError('PST_ERR_CUT', `The WebSocket closed with ${code} ${reason}`.trim(), { closeCode: code, isFinal: !COME_BACK.includes(code) }))
    }
    // What there is to know comes with its close. But Node's, before 24, has none for one that never opened.
    socket.onerror = () => { setTimeout(end, 0, { code: 1006, reason: '' }) }
    socket.onopen = () => {
      socket.onerror = () => {}
      link.opened()
    }
    socket.onmessage = ({ data }: { data: unknown }) => {
      link.heard()
      read(data, link)
    }
    socket.onclose = end
  })
}

function read (message: unknown, link: Link): void {
  const content = typeof message === 'string' ? parseJson(message) : null
  const { id, event = 'message', retry, data } = (content ?? {}) as Message
  const isEvent = data !== undefined
  if (typeof retry === 'number' && retry >= 0) link.delayed(retry)
  if (typeof id === 'string') link.moved(id)
  if (isEvent) {
    link.received(typeof event === 'string' ? event : 'message', () => data, typeof id === 'string' ? id : undefined)
  } else if (typeof id === 'string') {
    link.beats()   // a position alone: the server tells it again with every heartbeat
  } else if (typeof retry !== 'number') {
    // What the app has sent as it is.
    const { parse = parseJson } = link.options
    link.received('message', () => typeof message === 'string' ? parse(message, 'message') : message, undefined)
  }
}
