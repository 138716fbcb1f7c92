/** One stream over as many connections as it takes: asks, reads, waits and asks again behind what it has. */
import { Backoff } from './backoff.ts'
import { StreamError } from './errors.ts'
import type { Link, Transport } from './link.ts'
import { Listeners, reporter } from './listeners.ts'
import { readsOnce } from './over-fetch.ts'
import { Queue } from './queue.ts'
import type { Address, ClientEvent, ClientState, ConnectOptions, Gap, StateDetail } from './types.ts'
import { watch } from './watchdog.ts'

const HEARTBEAT_TIMEOUT = 45_000   // two of the longest pauses between the heartbeats of a Pastelli with its defaults
const BUFFER = 256
const GAP = 'gap'
const HIDDEN = Symbol('hidden')

interface Page {
  readonly baseURI: string
  readonly hidden: boolean
  addEventListener: (type: 'visibilitychange', listener: () => void) => void
  removeEventListener: (type: 'visibilitychange', listener: () => void) => void
}

type AnyEvent = ClientEvent<Record<string, unknown>>

const { document: page, location } = globalThis as { document?: Page, location?: { href: string } }

export class Stream implements AsyncIterable<AnyEvent> {
  state: ClientState = 'connecting'
  lastEventId: string | undefined
  error: unknown
  readonly #address: Address
  readonly #transport: Transport
  readonly #options: ConnectOptions
  readonly #isPushed: boolean
  readonly #listeners: Listeners
  readonly #report: (error: unknown) => void
  readonly #queue: Queue<AnyEvent>
  readonly #backoff: Backoff
  #isIterated = false
  // Gives up what is under way: an attempt, or a wait.
  #current = new AbortController()
  // Infinity until it is.
  #openedAt = Infinity

  constructor (address: Address, transport: Transport, options: ConnectOptions) {
    const { signal, buffer = BUFFER, retry = {} } = options
    this.#address = address
    this.#transport = transport
    this.#options = options
    this.#isPushed = transport.isPushed === true
    this.#report = reporter(options.onError)
    this.#listeners = new Listeners(this.#report)
    this.#queue = new Queue(buffer)
    this.#backoff = new Backoff(typeof retry === 'number' ? { delay: retry } : retry)
    this.lastEventId = options.lastEventId
    signal?.addEventListener('abort', this.close)
    if (options.pauseHidden) page?.addEventListener('visibilitychange', this.#look)
    // Not at once: who listens or iterates right behind `connect` is there from the start.
    queueMicrotask(() => {
      if (signal?.aborted) this.close()
      void this.#run()
    })
  }

  on (type: string, listener: (event: never) => void): this {
    // What came while nobody was there has waited; others may come in the same tick.
    if (this.#listeners.isEmpty && !this.#isIterated) queueMicrotask(() => { this.#catchUp() })
    this.#listeners.add(type, listener)
    return this
  }

  off (type: string, listener: (event: never) => void): this {
    this.#listeners.remove(type, listener)
    return this
  }

  readonly close = (): void => {
    while (this.#queue.take());
    this.#end()
  }

  [Symbol.asyncIterator] (): AsyncIterator<AnyEvent, undefined> {
    this.#isIterated = true
    return {
      next: () => this.#queue.next(),
      return: async () => {
        this.close()
        return { done: true, value: undefined }
      }
    }
  }

  async #run (): Promise<void> {
    while (this.state !== 'closed') {
      this.#current = new AbortController()
      if (this.#isHidden) {
        this.#become('paused')
        await aborted(this.#current.signal)
      } else {
        await this.#ask()
      }
    }
  }

  get #isHidden (): boolean {
    return this.#options.pauseHidden === true && page?.hidden === true
  }

  readonly #look = (): void => {
    if (this.#isHidden || this.state === 'paused') this.#current.abort(HIDDEN)
  }

  // Once, and then waits until it is time for the next time.
  async #ask (): Promise<void> {
    const { signal } = this.#current
    const { reopen = !this.#isPushed && /^get$/i.test(this.#options.method ?? 'GET') } = this.#options
    this.#become('connecting')
    this.#openedAt = Infinity
    let error: unknown
    try {
      const isMore = await Promise.race([this.#connect(signal), rejected(signal)])
      if (!isMore || !reopen) return this.#end()
    } catch (failure) {
      error = signal.aborted ? signal.reason : failure   // what was given up fails with an AbortError of its own in WebKit
    }
    if (this.state === 'closed' || error === HIDDEN) return
    const { isFinal, retryAfter, code } = error instanceof StreamError ? error : {} as Partial<StreamError>
    const delay = isFinal ? undefined : code === 'PST_ERR_OVERFLOW' ? 0 : this.#backoff.next(performance.now() - this.#openedAt, retryAfter)
    if (delay === undefined) return this.#end(error)
    if (readsOnce(this.#options.body)) return this.#end(new StreamError('PST_ERR_BODY', 'The body can\'t be sent a second time: give a function that makes one', { cause: error }))
    await this.#wait(error, delay)
  }

  async #connect (signal: AbortSignal): Promise<boolean> {
    const { heartbeatTimeout, topics = [] } = this.#options
    const url = resolveUrl(typeof this.#address === 'function' ? await this.#address() : this.#address)
    for (const topic of topics) url.searchParams.append('topic', topic)
    signal.throwIfAborted()
    // Those of a WebSocket can't be seen unless they tell a position: without topics silence may be all there is.
    let isBeating = !this.#isPushed || heartbeatTimeout !== undefined
    const isExpecting = () => !this.#queue.isFull && (isBeating || this.state === 'connecting')
    const dog = watch(heartbeatTimeout ?? HEARTBEAT_TIMEOUT, isExpecting, () => { this.#giveUp('PST_ERR_SILENT', 'Nothing has come for too long') })
    signal.addEventListener('abort', dog.stop)   // a function of the user's may never settle
    const link: Link = {
      url,
      signal,
      options: this.#options,
      lastEventId: this.lastEventId,
      opened: () => {
        this.#openedAt = performance.now()
        dog.heard()
        this.#become('open')
      },
      became: (state, detail) => { if (!signal.aborted) this.#become(state, detail) },
      closed: (error) => { if (!signal.aborted) this.#end(error) },
      heard: dog.heard,
      beats: () => { isBeating = true },
      received: (event, data, id) => {
        this.#catchUp()   // what came before goes first
        if (!signal.aborted) this.#receive(event, data, id)
      },
      moved: (id) => { if (!signal.aborted) this.lastEventId = id },
      delayed: (retry) => { this.#backoff.delay = retry },
      isFull: () => this.#queue.isFull,
      room: async () => {
        await this.#room(signal)
        dog.heard()
      }
    }
    try {
      return await this.#transport(link)
    } finally {
      dog.stop()
    }
  }

  #receive (event: string, data: () => unknown, id: string | undefined): void {
    if (id !== undefined) this.lastEventId = id
    const item = lazy(event, data, id)
    if (event === GAP) this.#listeners.call(() => this.#options.onGap?.(item.data as Gap))
    if (this.#isIterated || this.#listeners.isEmpty) this.#queue.push(item)
    this.#listeners.tell(event, item)
    // The reading of a WebSocket can't be stopped. What comes behind this is asked for when there is room.
    if (this.#isPushed && this.#queue.isFull) this.#giveUp('PST_ERR_OVERFLOW', 'Events came faster than they were read', !this.lastEventId)
  }

  #giveUp (code: 'PST_ERR_SILENT' | 'PST_ERR_OVERFLOW', message: string, isFinal = false): void {
    this.#current.abort(new StreamError(code, message, { isFinal }))
  }

  async #wait (error: unknown, delay: number): Promise<void> {
    const pause = this.#current = new AbortController()
    this.#become('waiting', { error, delay })
    const timer = setTimeout(() => { pause.abort() }, delay)
    await aborted(pause.signal)
    clearTimeout(timer)
    this.#current = new AbortController()
    if (this.#queue.isFull) await this.#room(this.#current.signal)
  }

  async #room (signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)   // it may be there for hours, and wait for room often
        resolve()
      }
      signal.addEventListener('abort', done)
      this.#queue.whenRoom(done)
    })
  }

  // Until one of who is told closes the stream or leaves the rest to others.
  #catchUp (): void {
    let event
    while (!this.#isIterated && !this.#listeners.isEmpty && (event = this.#queue.take())) this.#listeners.tell(event.event, event)
  }

  #become (state: ClientState, detail: StateDetail = {}): void {
    if (this.state === 'closed') return
    this.state = state
    this.#listeners.call(() => this.#options.onState?.(state, detail))
  }

  #end (error?: unknown): void {
    if (this.state === 'closed') return
    const { signal, onError, onState } = this.#options
    signal?.removeEventListener('abort', this.close)
    page?.removeEventListener('visibilitychange', this.#look)
    this.error = error
    this.#become('closed', error === undefined ? {} : { error })
    this.#current.abort()
    this.#queue.end(error)
    if (error !== undefined && !this.#isIterated && (onError !== undefined || onState === undefined)) this.#report(error)
  }
}

/** Relative ones are so to the page. */
export function resolveUrl (address: string | URL): URL {
  return new URL(address, page?.baseURI ?? location?.href)
}

function lazy (event: string, read: () => unknown, id: string | undefined): AnyEvent {
  let data: unknown
  let isRead = false
  return {
    event,
    get data () {
      if (!isRead) data = read()
      isRead = true
      return data
    },
    id
  }
}

async function aborted (signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise<void>((resolve) => { signal.addEventListener('abort', () => { resolve() }) })
}

async function rejected (signal: AbortSignal): Promise<never> {
  await aborted(signal)
  throw signal.reason
}
