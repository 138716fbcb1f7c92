/**
 * An attempt by way of the other tabs. Of those with one name, the one that has a lock leads: it has the connection, and tells the others every step.
 * A step says from which position it leads, so that nobody takes one that is not the next: who is behind asks the server itself until the two meet, and
 * who is ahead passes over what it has had.
 */
import { MOST } from './backoff.ts'
import { StreamError } from './errors.ts'
import { parseJson } from './event-stream.ts'
import type { Link, Transport } from './link.ts'
import { overFetch } from './over-fetch.ts'
import { Passed } from './passed.ts'
import { Stream } from './stream.ts'
import type { Address, ClientState, StateDetail } from './types.ts'

/** What is needed of the browser's. */
export interface LockManager {
  request: (name: string, options: { signal?: AbortSignal, steal?: boolean }, granted: () => Promise<void>) => Promise<unknown>
}

interface Channel {
  onmessage: ((event: { data: unknown }) => void) | null
  postMessage: (message: unknown) => void
  close: () => void
}

interface Step {
  event?: string
  /** Undefined where only the position moved. */
  text?: string
  /** Undefined where the position stays. */
  id?: string | undefined
}

interface Message {
  /** When it began to lead, ms: the later leads. */
  term: number
  /** How many steps it has told before. */
  count: number
  /** Where it was before this step. */
  from: string | undefined
  state: ClientState
  delay: number | undefined
  step: Step | undefined
}

const HELLO = 'hello'

// How many steps are kept for who asks the server itself.
const KEPT = 1_000

// How long who leads has to answer before it is deposed, and how often it says at most that it hears the server, ms.
const ANSWER = 1_000

// How often it says at least that it is there, ms, where that is not a third of `heartbeatTimeout`.
const BEAT = 15_000

/** @param name of the lock and of the channel */
export function overTabs (locks: LockManager, name: string, address: Address): Transport {
  const passed = new Passed()
  let isSilent = false
  return async (link) => await new Promise((_resolve, reject) => {
    const member = new Member(link, locks, name, address, passed, reject)
    if (isSilent) member.deposeUnlessHeard()
    isSilent = false
    link.signal.addEventListener('abort', () => {
      isSilent = (link.signal.reason as Partial<StreamError>).code === 'PST_ERR_SILENT'
      member.leave()
      reject(link.signal.reason)
    })
  })
}

class Member {
  readonly #link: Link
  readonly #locks: LockManager
  readonly #name: string
  readonly #address: Address
  readonly #passed: Passed
  readonly #reject: (error: unknown) => void
  readonly #channel: Channel
  readonly #over = new AbortController()
  // Aborts when it waits for the lock no more.
  readonly #queued = new AbortController()
  // Of who leads: this one, or the one that was heard last.
  #isLeading = false
  #term = 0
  #count = 0
  #state: ClientState = 'connecting'
  #delay: number | undefined
  #toldAt = 0
  // Whether what is told next begins where this one is.
  #isInStep = false
  // While it asks the server itself: what was told meanwhile.
  #direct: AbortController | null = null
  #told: Message[] = []

  constructor (link: Link, locks: LockManager, name: string, address: Address, passed: Passed, reject: (error: unknown) => void) {
    this.#link = link
    this.#locks = locks
    this.#name = name
    this.#address = address
    this.#passed = passed
    this.#reject = reject
    passed.add(link.lastEventId)
    this.#channel = new BroadcastChannel(name) as unknown as Channel
    this.#channel.onmessage = ({ data }) => {
      if (data !== HELLO) this.#hear(data as Message)
      else if (this.#isLeading) this.#tell()
    }
    this.#channel.postMessage(HELLO)
    void this.#hold({ signal: this.#queued.signal })
  }

  leave (): void {
    this.#over.abort()
    this.#queued.abort()
    this.#direct?.abort()
    this.#channel.close()
  }

  /** Leads in place of who does not answer: its tab stands still, and has the lock all the same. */
  deposeUnlessHeard (): void {
    const { heartbeatTimeout = Infinity } = this.#link.options
    const timer = setTimeout(() => {
      if (this.#term > 0) return
      this.#queued.abort()
      void this.#hold({ steal: true })
    }, Math.min(ANSWER, heartbeatTimeout / 2))
    this.#over.signal.addEventListener('abort', () => { clearTimeout(timer) })
  }

  get #at (): string | undefined {
    return this.#passed.last
  }

  async #hold (options: { signal?: AbortSignal, steal?: boolean }): Promise<void> {
    try {
      await this.#locks.request(this.#name, options, async () => { if (!this.#over.signal.aborted) await this.#lead() })
    } catch (error) {
      if (this.#isLeading) this.#fail(new StreamError('PST_ERR_SILENT', 'Another tab leads'))
      else if (!options.signal?.aborted) this.#fail(error)
    }
  }

  // Until it leaves.
  async #lead (): Promise<void> {
    const { signal } = this.#over
    const { options } = this.#link
    const { heartbeatTimeout = 0 } = options
    this.#isLeading = true
    this.#direct?.abort()
    this.#term = Math.max(Date.now(), this.#term + 1)
    this.#count = 0
    this.#state = 'connecting'
    const timer = setInterval(() => { this.#tell() }, Math.min(heartbeatTimeout / 3 || BEAT, MOST))
    const onState = (state: ClientState, detail: StateDetail) => {
      if (signal.aborted) return
      if (state === 'closed') return this.#end(detail.error)
      this.#become(state, detail)
      this.#tell()
    }
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => { resolve() })
      void new Stream(this.#address, this.#transport, { ...options, signal, lastEventId: this.#at, pauseHidden: false, onGap: undefined, onError: undefined, onState })
    })
    clearInterval(timer)
  }

  // Of a stream that has no events of its own: they go to all tabs, this one too.
  readonly #transport: Transport = (link) => overFetch({
    ...link,
    options: { ...link.options, parse: (text) => text },
    heard: () => {
      link.heard()
      if (performance.now() - this.#toldAt > ANSWER) this.#tell()
    },
    received: (event, text, id) => {
      if (id !== undefined) link.moved(id)
      this.#go({ event, text: text() as string, id })
    },
    moved: (id) => {
      link.moved(id)
      if (id !== this.#at) this.#go({ id })
    }
  })

  #go (step: Step): void {
    if (this.#over.signal.aborted) return
    this.#tell(step)
    this.#take(step)
  }

  #tell (step?: Step): void {
    this.#toldAt = performance.now()
    this.#link.heard()
    const message: Message = { term: this.#term, count: this.#count, from: this.#at, state: this.#state, delay: this.#delay, step }
    this.#channel.postMessage(message)
    if (step !== undefined) this.#count++
  }

  #hear (message: Message): void {
    const { term, count, from, state, delay, step } = message
    if (this.#isLeading || term < this.#term) return
    this.#link.heard()
    if (term !== this.#term || count !== this.#count) this.#isInStep = false
    this.#term = term
    this.#count = step === undefined ? count : count + 1
    this.#become(state, { ...delay !== undefined && { delay } })
    if (this.#direct !== null) {
      this.#told = [...this.#told, message].slice(-KEPT)
      this.#meet()
    } else if (this.#isInStep || this.#joins(from, step)) {
      this.#isInStep = true
      if (step !== undefined) this.#take(step)
    } else if (state === 'open' && !this.#passed.has(step === undefined ? from : step.id)) {
      this.#told = [message]
      void this.#catchUp()
    }
  }

  #joins (from: string | undefined, step: Step | undefined): boolean {
    // Who is nowhere yet begins where the others are. Where there are no ids, there is nothing to miss.
    if (this.#at === undefined && from !== undefined) this.#take({ id: from })
    return this.#at === from || (from === undefined && step !== undefined && step.id === undefined)
  }

  // Asks the server itself for what it has missed.
  async #catchUp (): Promise<void> {
    if (this.#over.signal.aborted) return
    const { signal } = this.#direct = new AbortController()
    const { received, moved } = this.#link
    const pass = (id: string | undefined) => {
      this.#passed.add(id)
      this.#meet()
    }
    let error: unknown = new StreamError('PST_ERR_CUT', 'The stream ended behind the other tabs')
    try {
      await overFetch({
        ...this.#link,
        signal,
        lastEventId: this.#at,
        opened: () => {},
        received: (event, data, id) => {
          if (signal.aborted) return
          received(event, data, id)
          pass(id)
        },
        moved: (id) => {
          if (signal.aborted) return
          moved(id)
          pass(id)
        }
      })
    } catch (failure) {
      error = failure
    }
    if (!signal.aborted) this.#fail(error)
  }

  // Goes on with the others, if it is where they are, or were.
  #meet (): void {
    const told = this.#told
    const next = told.findIndex(({ from }) => from === this.#at)
    if (next === -1 && told.at(-1)?.step?.id !== this.#at) return
    this.#direct?.abort()
    this.#direct = null
    this.#isInStep = true
    if (next !== -1) for (const { step } of told.slice(next)) if (step !== undefined) this.#take(step)
  }

  #take ({ event = '', text, id }: Step): void {
    if (this.#over.signal.aborted) return
    const { options: { parse = parseJson }, isFull, received, moved } = this.#link
    this.#passed.add(id)
    if (text !== undefined) received(event, () => parse(text, event), id)
    else if (id !== undefined) moved(id)
    // The others can't be made to wait. What comes behind this is asked for when there is room.
    if (isFull()) this.#fail(new StreamError('PST_ERR_OVERFLOW', 'Events came faster than they were read', { isFinal: this.#at === undefined }))
  }

  #become (state: ClientState, detail: StateDetail): void {
    if (state === this.#state) return
    this.#state = state
    this.#delay = detail.delay
    if (state === 'open') this.#link.opened()
    else this.#link.became(state, detail)
  }

  #end (error: unknown): void {
    this.leave()
    this.#link.closed(error)
  }

  #fail (error: unknown): void {
    this.leave()
    this.#reject(error)
  }
}
