/** A connection of its own on which a node hears what is appended, and which is made anew whenever it fails. */
import { pause } from './pause.ts'

export interface Closable { close: () => void }

export interface Listener<Own extends Closable, Place, News> {
  /** @param signal nobody waits for it any more */
  open: (signal: AbortSignal) => Promise<Own>
  /** On each new connection, and now and then: where the log is. */
  look: (own: Own) => Promise<Place>
  found: (place: Place) => void
  /** Waits for what comes next, at most so many ms. */
  hear: (own: Own, ms: number) => Promise<News>
  /** Not called with what comes from a connection that was given up. Answers whether a look is due. */
  heard: (news: News) => boolean
  failed: (error: unknown) => void
  recovered: () => void
}

// A connection is waited on so long, then asked again; and given up if it says nothing for so much longer.
const WAIT = 5_000
export const PATIENCE = 3_000

export class Tail<Own extends Closable, Place, News> {
  readonly #listener: Listener<Own, Place, News>
  readonly #wait: number
  readonly #patience: number
  readonly #end = new AbortController()
  readonly #ended: Promise<void>

  /**
   * @param wait how long a connection is waited on, and how often there is a look, ms
   * @param patience for an answer, behind that time, ms
   */
  constructor (listener: Listener<Own, Place, News>, wait = WAIT, patience = PATIENCE) {
    this.#listener = listener
    this.#wait = wait
    this.#patience = patience
    this.#ended = this.#run()
  }

  /** Resolves when nothing of it is left. */
  async stop (): Promise<void> {
    this.#end.abort()
    await this.#ended
  }

  get #isStopped (): boolean {
    return this.#end.signal.aborted
  }

  async #run (): Promise<void> {
    for (let failures = 0; !this.#isStopped; failures++) {
      let own: Own | null = null
      try {
        own = await this.#open()
        this.#listener.found(await this.#answer(this.#listener.look(own), this.#patience))
        if (failures !== 0) this.#listener.recovered()
        failures = 0
        await this.#hear(own)
      } catch (err) {
        if (!this.#isStopped && failures === 0) this.#listener.failed(err)
      }
      own?.close()
      if (!this.#isStopped) await pause(failures, Infinity, this.#end.signal, 2 * this.#wait)   // who is waited for comes back in time
    }
  }

  // What is there only after the end is closed at once.
  async #open (): Promise<Own> {
    const opening = this.#listener.open(this.#end.signal)
    try {
      return await this.#answer(opening)
    } catch (err) {
      opening.then((own) => { own.close() }, () => {})
      throw err
    }
  }

  async #hear (own: Own): Promise<void> {
    for (let looked = performance.now(); !this.#isStopped;) {
      const rest = Math.max(1, Math.ceil(looked + this.#wait - performance.now()))
      const isDue = this.#listener.heard(await this.#answer(this.#listener.hear(own, rest), rest + this.#patience))
      if (!isDue && performance.now() - looked < this.#wait) continue
      this.#listener.found(await this.#answer(this.#listener.look(own), this.#patience))
      looked = performance.now()
    }
  }

  // A connection that has died in silence looks like one on which nothing is published.
  #answer<Value> (answer: Promise<Value>, ms?: number): Promise<Value> {
    const { signal } = this.#end
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', giveUp)
      }
      const giveUp = () => {
        settle()
        reject(new Error(ms === undefined ? 'it was stopped' : `no answer within ${ms} ms`))
      }
      const timer = ms === undefined ? undefined : setTimeout(giveUp, ms)
      signal.addEventListener('abort', giveUp)
      if (signal.aborted) giveUp()
      answer.then(resolve, reject).finally(settle)
    })
  }
}
