/** Which transport carries a response, once its head is out. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, Http2ServerResponse } from 'node:http2'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { Http1Transport } from './http1.ts'
import { Http2Transport } from './http2.ts'
import { ResponseTransport } from './response.ts'
import { markStreaming, unmarkStreaming } from './stray.ts'
import type { PlainTransport } from './transport.ts'

export type RawResponse = ServerResponse | Http2ServerResponse

/** Sends the head, and opens on the fastest transport there is; what `open` sends at once leaves with the head. */
export function carry (raw: RawResponse, open: (transport: PlainTransport) => void): void {
  if (raw instanceof Http2ServerResponse) {
    flushHead(raw)
    open(new Http2Transport(raw.stream))
    return
  }
  const { socket } = raw.req
  if (!(socket instanceof Socket)) {   // inject() has a mock
    open(new ResponseTransport(flushHead(raw), () => { raw.end() }, () => { cut(raw) }))
    return
  }
  readOn(raw)
  markStreaming(socket)
  if (canFrame(raw)) openFramed(raw, socket, open)
  else openPlain(raw, socket, open)
}

/** Ends at the hands of somebody else: behind what a hook put before the response, or with trailers. */
export function carryBehind (destination: Writable, raw: RawResponse, end: () => void): PlainTransport {
  if (destination as unknown === raw) flushHead(raw)
  if (!(raw instanceof Http2ServerResponse) && raw.req.socket instanceof Socket) {
    const { socket } = raw.req
    readOn(raw)
    markStreaming(socket)
    raw.once('close', () => { unmarkStreaming(socket) })
  }
  return new ResponseTransport(destination, end, () => { cut(raw) })
}

/** So that the client can tell it from a proper end: `destroy` of HTTP/2 says that there was no error. */
export function cut (raw: RawResponse): void {
  if (raw instanceof Http2ServerResponse) {
    raw.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    return
  }
  // One that waits in a pipeline is cut in its turn. Node 24 would leave its client, and what is asked for behind it, waiting.
  if (raw.socket === null) raw.once('socket', (socket: Socket) => { socket.destroy() })
  raw.destroy()
}

// Nobody reads the body of a GET. Unread, it would keep Node from reading on, and so from seeing that the client leaves.
// One without a body is left alone: Fastify's onRequestAbort waits for its close, which comes at once when it is read.
function readOn ({ req }: ServerResponse<IncomingMessage>): void {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = req.headers
  if (req.method === 'GET' && (length !== '0' || coding !== undefined) && req.readableFlowing === null) req.resume()
}

// HTTP/1.0 has no chunks, a pipelined response that waits for its turn no socket yet.
function canFrame (raw: ServerResponse<IncomingMessage>): boolean {
  return raw.socket === raw.req.socket && raw.req.httpVersion === '1.1' && !raw.hasHeader('content-length')
}

function openFramed (raw: ServerResponse, socket: Socket, open: (transport: PlainTransport) => void): void {
  raw.setHeader('transfer-encoding', 'chunked')
  socket.cork()
  flushHead(raw)
  open(new Http1Transport(raw, socket))
  socket.uncork()
}

function openPlain (raw: ServerResponse, socket: Socket, open: (transport: PlainTransport) => void): void {
  const end = () => {
    unmarkStreaming(socket)
    raw.end()
  }
  open(new ResponseTransport(flushHead(raw), end, () => { cut(raw) }))
}

// `writeHead` of HTTP/2 sends the head, that of HTTP/1 keeps it for the first byte.
function flushHead (raw: RawResponse): Writable {
  if (raw instanceof Http2ServerResponse) raw.writeHead(raw.statusCode)
  else raw.flushHeaders()
  return raw as Writable
}
