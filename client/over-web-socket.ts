/** An attempt by WebSocket: messages that are events as JSON, `{ id, event, retry, data }`, with what each has. */
import { StreamError } from './errors.ts'
import { parseJson } from './event-stream.ts'
import type { Link, Transport } from './link.ts'

interface Message { id?: unknown, event?: unknown, retry?: unknown, data?: unknown }

const NORMAL = 1000

// Gone, without a code, cut, expired (1008), failed, restarted, overloaded, behind a bad gateway, timed out: those come back.
// The others are about what the client did, or the app's own.
const COME_BACK = [1001, 1005, 1006, 1008, 1011, 1012, 1013, 1014, 3008]

/** The one to be used, undefined where there is none. */
export function webSocketOf (options: Link['options']): Link['options']['WebSocket'] {
  return options.WebSocket ?? (globalThis as { WebSocket?: Link['options']['WebSocket'] }).WebSocket
}

export const overWebSocket: Transport = (link) => new Promise((resolve, reject) => {
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

function read (message: unknown, link: Link): void {
  const content = typeof message === 'string' ? parseJson(message) : null
  const { id, event = 'message', retry, data } = (content ?? {}) as Message
  const isEvent = data !== undefined
  if (typeof retry === 'number') link.delayed(retry)
  if (typeof id === 'string') link.moved(id)
  if (isEvent) {
    link.received(String(event), () => data, typeof id === 'string' ? id : undefined)
  } else if (typeof id === 'string') {
    link.beats()   // a position alone: the server tells it again with every heartbeat
  } else if (typeof retry !== 'number') {
    // What the app has sent as it is.
    const { parse = parseJson } = link.options
    link.received('message', () => typeof message === 'string' ? parse(message, 'message') : message, undefined)
  }
}
