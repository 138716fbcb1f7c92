/** How a connection ends: exactly once, with the first reason given, whoever ends it and however. */
import { PST_ERR_ARGUMENT } from '../errors.ts'
import { defer, type Deferred } from './deferred.ts'
import { link, unlink } from './links.ts'
import { checkReason, type CloseReason } from './reasons.ts'

/**
 * The states of a connection's life, in order: before the take-over of the response, open, closed by us with bytes
 * still on their way, ended.
 */
export type Phase = 'opening' | 'open' | 'closing' | 'closed'

export abstract class Lifecycle {
  #phase: Phase = 'opening'
  #reason: CloseReason | null = null
  // These three are made when somebody asks: most connections never do.
  #abort: AbortController | null = null
  #closed: Deferred<CloseReason> | null = null
  #links: AbortSignal[] | null = null

  /** Where it is in its life. */
  get phase (): Phase {
    return this.#phase
  }

  /** Why it ends; null while it lives. */
  get reason (): CloseReason | null {
    return this.#reason
  }

  /** Aborts when the connection starts to end; `signal.reason` is the `CloseReason`. */
  get signal (): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#reason !== null && !this.#abort.signal.aborted) this.#abort.abort(this.#reason)
    return this.#abort.signal
  }

  /** Resolves with the reason when the connection has ended. Never rejects. */
  get closed (): Promise<CloseReason> {
    if (this.#closed === null) {
      this.#closed = defer()
      if (this.#phase === 'closed') this.#closed.settle(this.#reason as CloseReason)
    }
    return this.#closed.promise
  }

  /**
   * Ends the connection properly, behind everything sent.
   * @throws PST_ERR_REASON
   */
  close (reason: CloseReason = 'server'): void {
    checkReason(reason)
    if (this.#reason !== null) return
    this.#end(reason)
    if (this.#phase === 'open') this.#phase = 'closing'
    this.finish(reason)
  }

  /**
   * Cuts the connection: what is queued is lost, and the client can tell that the stream was not ended properly.
   * @throws PST_ERR_REASON
   */
  destroy (reason: CloseReason = 'server'): void {
    checkReason(reason)
    if (this.#phase === 'closed') return
    if (this.#reason === null) this.#end(reason)
    this.cut()
    this.ended(reason)
  }

  /**
   * Ties the connection to a task: when the signal aborts, the connection is cut with the reason `error`.
   * @throws PST_ERR_ARGUMENT
   */
  link (signal: AbortSignal): void {
    if (!(signal instanceof AbortSignal)) throw new PST_ERR_ARGUMENT('link', 'an AbortSignal', typeof signal)
    if (this.#reason !== null) return
    if (signal.aborted) {
      this.destroy('error')
      return
    }
    link(signal, this)
    this.#links ??= []
    this.#links.push(signal)
  }

  /** @internal There is nothing left that could carry a byte; `reason` counts unless there was one before. */
  ended (reason: CloseReason): void {
    if (this.#reason === null) this.#end(reason)
    if (this.#phase === 'closed') return   // or a listener of the signal has cut it just now
    const before = this.#phase
    this.#phase = 'closed'
    this.settled(this.#reason as unknown as CloseReason, before !== 'opening')
    this.#closed?.settle(this.#reason as unknown as CloseReason)
  }

  /** The take-over: a connection that was closed before it goes on to end at once. */
  protected opened (): void {
    this.#phase = this.#reason === null ? 'open' : 'closing'
  }

  /** Ends the transport behind everything sent, now or at the take-over. */
  protected abstract finish (reason: CloseReason): void

  /** Cuts the transport. */
  protected abstract cut (): void

  /** Called once, at the very end. */
  protected abstract settled (reason: CloseReason, wasOpen: boolean): void

  #end (reason: CloseReason): void {
    this.#reason = reason
    for (const signal of this.#links ?? []) unlink(signal, this)
    this.#links = null
    this.#abort?.abort(reason)
  }
}
