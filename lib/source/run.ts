/** One run of what feeds a resumable stream: from what its handler returns to the end of its topic. */
import type { EventSchemas } from '../connection/event-schemas.ts'
import type { Log } from '../connection/host.ts'
import { PST_ERR_ABANDONED, PST_ERR_ARGUMENT } from '../errors.ts'
import { shapeFailure } from './failure.ts'
import { drain, type Owner } from './pipe.ts'
import { type Source, toSource } from './source.ts'
import type { Writer } from './writer.ts'

/** What a producer knows of itself. */
export interface Producer {
  /** Names what it produces: who asks for the same key gets the same stream. */
  readonly key: string
  /** Aborts when nobody has listened for `abandonAfter`, and when the app closes. */
  readonly signal: AbortSignal
}

/** What is to be produced, and on what terms. */
export interface Production {
  key: string
  /** ms; 0: it runs to its end, whoever listens. */
  abandonAfter: number
  /** What the route declares; null: anything. */
  events: EventSchemas | null
  /** What clients are told of an error. */
  errorData: (error: unknown) => unknown
  /** What they are told of an end; null: nothing. */
  terminator: string | null
  /** Makes the source. */
  produce: (producer: Producer) => unknown
}

const OVERTAKEN = 'ended by another process'

type StopReason = 'abandoned' | 'shutdown' | typeof OVERTAKEN

export class Run {
  /**
   * Resolves with the first item, or when it is stopped before that.
   * @throws what it throws before that
   */
  readonly first: Promise<void>
  readonly #production: Production
  readonly #writer: Writer
  readonly #log: Log
  readonly #isShared: boolean
  readonly #abort = new AbortController()
  #open: () => void = () => {}
  #refuse: (error: unknown) => void = () => {}
  #hasWon = false
  // Whether an item is in the log, or on its way there.
  #hasBegun = false
  #isEnding = false
  #timer: NodeJS.Timeout | null = null

  /** @param isShared whether other processes have clients of it */
  constructor (production: Production, writer: Writer, log: Log, isShared: boolean) {
    this.#production = production
    this.#writer = writer
    this.#log = log
    this.#isShared = isShared
    this.first = new Promise((resolve, reject) => {
      this.#open = resolve
      this.#refuse = reject
    })
  }

  /** Whether it was stopped before it had produced anything. */
  get isVoid (): boolean {
    return this.#abort.signal.aborted && !this.#hasBegun
  }

  /** Whether it is this one that may produce. */
  get hasWon (): boolean {
    return this.#hasWon
  }

  /** Whether nothing of it is in the log, and others may produce it: not if it has its end, which there is once. */
  get isFruitless (): boolean {
    return !this.#hasBegun && !this.#isEnding && this.#abort.signal.reason !== OVERTAKEN
  }

  /** The last one who listened has gone: it may go on by itself for so long. */
  leave (): void {
    const { abandonAfter } = this.#production
    if (this.#timer !== null) return
    if (abandonAfter !== 0 && !this.#abort.signal.aborted) this.#timer = setTimeout(() => { this.stop('abandoned') }, abandonAfter)
  }

  /** Somebody listens. */
  attend (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  stop (reason: StopReason): void {
    this.attend()
    this.#abort.abort(reason)
  }

  /** Its topic has an end. */
  overtaken (): void {
    if (!this.#isEnding) this.stop(OVERTAKEN)
  }

  /**
   * Resolves when it is over.
   * @param win whether it is this one that may produce: another one may have begun, and ended, while this one was looking
   */
  async feed (win: () => Promise<boolean>): Promise<void> {
    const { key, produce, terminator } = this.#production
    const { signal } = this.#abort
    const owner: Owner = { id: key, signal, log: this.#log }
    try {
      this.#hasWon = await win()
      if (!this.#hasWon || signal.aborted) return
      const source = await make(produce, owner)
      if (await drain(owner, source, (item) => this.#take(item)) === 'ended') throw abandoned(signal)
      this.#isEnding = true
      await this.#writer.end(terminator ?? '')
    } catch (error) {
      if (this.isVoid || this.#isForgotten(signal.reason)) return   // its clients have left, or know
      if (this.#hasBegun) await this.#fail(error)
      else this.#refuse(error)
    } finally {
      this.#open()
    }
  }

  #take (item: unknown): boolean | Promise<boolean> {
    const hadBegun = this.#hasBegun
    const taken = this.#writer.take(item)
    this.#hasBegun = true
    if (!(taken instanceof Promise)) return this.#opened()
    return taken.then(() => this.#opened(), (error: unknown) => {
      this.#hasBegun = hadBegun
      throw error
    })
  }

  #opened (): true {
    this.#hasBegun = true
    this.#open()
    return true
  }

  #isForgotten (reason: StopReason | undefined): boolean {
    return reason === OVERTAKEN || (reason === 'shutdown' && !this.#isShared)
  }

  async #fail (err: unknown): Promise<void> {
    this.#isEnding = true
    const { key, errorData } = this.#production
    const blame = (err: unknown) => { this.#log.error({ err, key }, 'what clients shall be told of a failure can\'t be sent') }
    if (!(err instanceof PST_ERR_ABANDONED)) this.#log.error({ err, key }, 'the source of a resumable stream failed')
    try {
      await shapeFailure(err, errorData, (data) => this.#writer.fail(data), blame)
    } catch (err) {
      blame(err)
    }
  }
}

// What the handler returns, unless it is told to stop before that: then what it returns later is told so.
async function make (produce: Production['produce'], owner: Owner): Promise<Source> {
  const { id: key, signal } = owner
  const made = Promise.resolve(produce({ key, signal })).then(demandSource)
  const stopped = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => { reject(abandoned(signal)) }, { once: true })
  })
  try {
    return await Promise.race([made, stopped])
  } catch (error) {
    if (signal.aborted) made.then((source) => drain(owner, source, () => false)).catch(() => {})
    throw error
  }
}

function demandSource (made: unknown): Source {
  const source = toSource(made)
  if (source === null) throw new PST_ERR_ARGUMENT('resumable', 'a handler that returns an iterable, a stream or an observable', typeof made)
  return source
}

function abandoned (signal: AbortSignal): Error {
  return new PST_ERR_ABANDONED(String(signal.reason))
}
