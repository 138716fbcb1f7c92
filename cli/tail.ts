/** `pastelli tail`: a stream's events, for as long as it takes. */
import { randomUUID } from 'node:crypto'
import { type ClientState, type ClientStream, connect, type ConnectOptions, type StateDetail } from '../client/index.ts'
import { webSocket } from '../client/websocket.ts'
import { eventStreamFetch } from './event-stream-fetch.ts'
import { ACCEPT } from './formats.ts'
import { gapOf } from './gap.ts'
import { INTERRUPTED, notice } from './notice.ts'
import { isWebSocket, type Target, UsageError } from './options.ts'
import { print } from './output.ts'
import { asJson, forPeople, type Printer } from './printer.ts'
import { statusLine, why } from './reasons.ts'

export interface TailOptions {
  json?: true
  since?: string
  count?: number
  timestamps?: true
  verbose?: true
  wait?: true
  reconnect: boolean
  /** s; the client's own if it is left out, by which a WebSocket may be silent that tells no position */
  heartbeatTimeout?: number
}

type AnyEvents = Record<string, unknown> & { gap: unknown }

// Comments come as events of this type, which no server can send.
const COMMENT = randomUUID()

/**
 * Resolves with the exit code.
 * @throws UsageError
 */
export async function tail (target: Target, options: TailOptions): Promise<number> {
  const { count = Infinity } = options
  const printer = printerFor(process.stdout, options)
  const watcher = new Watcher(options)
  const stream = connect<AnyEvents>(target.url, { ...connectOptions(target, options), onState: (state, detail) => { watcher.became(stream, state, detail) } })
  let code = 0
  process.once('SIGINT', () => {
    code = INTERRUPTED
    stream.close()
  })
  let seen = 0
  try {
    for await (const { event, id, data } of stream) {
      const isComment = event === COMMENT
      const isRead = await print(isComment ? printer.comment(String(data)) : printer.event({ event, id, data }))
      if (!isComment && gapOf(event, data) === undefined) seen++
      if (!isRead || seen === count) break
    }
  } catch (error) {
    watcher.failed(error)
  }
  return code === 0 && watcher.hasFailed ? 1 : code
}

/** Tells what becomes of the connection. */
class Watcher {
  readonly #options: TailOptions
  #hasOpened = false
  #isAway = false
  hasFailed = false

  constructor (options: TailOptions) {
    this.#options = options
  }

  became (stream: Pick<ClientStream<object>, 'close' | 'lastEventId'>, state: ClientState, { error, delay = 0 }: StateDetail): void {
    if (state === 'open') {
      if (this.#isAway) notice(stream.lastEventId ? `open again, behind ${stream.lastEventId}` : 'open again')
      else if (this.#options.verbose) notice('open')
      this.#hasOpened = true
      this.#isAway = false
    } else if (state === 'waiting' && !this.#hasOpened && !this.#options.wait) {
      this.failed(error)
      stream.close()
    } else if (state === 'waiting') {
      this.#isAway = true
      notice(`${error === undefined ? 'the server has ended the stream' : why(error)}; asking again in ${(delay / 1_000).toFixed(1)} s`)
    }
  }

  failed (error: unknown): void {
    this.hasFailed = true
    notice(why(error))
  }
}

function connectOptions ({ url, method, headers, body }: Target, { since, verbose, reconnect, heartbeatTimeout }: TailOptions): ConnectOptions {
  const common: ConnectOptions = {
    parse: (text) => text,
    ...heartbeatTimeout !== undefined && { heartbeatTimeout: heartbeatTimeout * 1_000 },
    ...since !== undefined && { lastEventId: since },
    ...!reconnect && { retry: { attempts: 0 }, reopen: false }
  }
  if (isWebSocket(url)) return { ...common, transport: webSocket, WebSocket: webSocketWith(headers) }
  if (!headers.has('accept')) headers.set('accept', ACCEPT)
  const answered = (response: Response) => {
    if (verbose) notice(`${statusLine(response.status)}, ${response.headers.get('content-type') ?? 'no content type'}`)
  }
  return { ...common, method, headers, ...body && { body }, fetch: eventStreamFetch({ answered, ...verbose && { comments: COMMENT } }) }
}

/** Node's, which takes headers, though a page's does not. */
function webSocketWith (headers: Headers): NonNullable<ConnectOptions['WebSocket']> {
  const { WebSocket: Own } = globalThis as { WebSocket?: new (url: string, options: { headers: Headers }) => InstanceType<NonNullable<ConnectOptions['WebSocket']>> }
  if (Own === undefined) throw new UsageError('WebSockets need Node 22; with Node 20, set NODE_OPTIONS=--experimental-websocket')
  return class extends Own {
    constructor (url: string) {
      super(url, { headers })
    }
  }
}

function printerFor (stdout: NodeJS.WriteStream, { json, timestamps }: TailOptions): Printer {
  const clock = timestamps && (() => new Date())
  if (json) return asJson({ clock })
  return forPeople({ clock, isScreen: stdout.isTTY, isColoured: stdout.isTTY && stdout.hasColors() })
}
