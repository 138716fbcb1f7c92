/** The way out of a connection: what is sent is gathered, written in order, and bounded. */
import type { StreamSettings } from '../options.ts'
import type { TextEncoding } from '../wire/format.ts'
import type { Frame } from '../wire/frame.ts'
import { Deadlines } from './deadlines.ts'
import { Lifecycle } from './lifecycle.ts'
import { Outbox } from './outbox.ts'
import { currentTurn, flushLater, nextTurn, overstayed } from './tick.ts'
import type { Transport } from './transport.ts'

/** What a send answers: `true`, taken; `false`, the connection has ended; when there is no room, a promise of either. */
export type Sent = boolean | Promise<boolean>

// In a turn of the event loop.
const SEVERAL = 2

export abstract class Sender extends Lifecycle {
  protected readonly outbox: Outbox
  protected readonly deadlines = new Deadlines()
  #events = 0
  #turn = -1
  #sendsThisTurn = 0

  constructor ({ highWaterMark }: Readonly<StreamSettings>, encoding: TextEncoding) {
    super()
    this.outbox = new Outbox(highWaterMark, encoding)
  }

  /** Bytes sent, before they are compressed and without the framing of the transport; over a WebSocket, with the heads of messages. */
  get bytes (): number {
    return this.outbox.total
  }

  /** Events sent. */
  get events (): number {
    return this.#events
  }

  /** Bytes sent and not yet taken by the operating system. */
  get queued (): number {
    return this.outbox.gathered + this.outbox.backlog
  }

  /** @internal */
  abstract get settings (): Readonly<StreamSettings>

  /** @internal Whether the client has taken what it was given. */
  get isRoomy (): boolean {
    const transport = this.outbox.transport as Transport
    return transport.queued <= transport.slack
  }

  /** @internal Whether as much is queued as may be. */
  get isFull (): boolean {
    return this.outbox.exceeds(this.settings.maxBuffered)
  }

  /** @internal Gives what many connections get, behind what was sent to this one. */
  deliver (frame: Frame, events: number, written?: () => void): void {
    this.flush()
    const { transport } = this.outbox
    if (transport === null) return
    if (!transport.writable) {
      this.destroy('client')
      return
    }
    this.deadlines.wrote = this.deadlines.told = true
    this.count(events)
    this.outbox.give(frame, written)
  }

  /** @internal */
  endTick (): void {
    this.flush()
    this.outbox.endTick()
  }

  /** @internal Writes what was gathered. */
  flush (): void {
    const { transport } = this.outbox
    if (transport === null || this.outbox.isEmpty) return
    if (!transport.writable) {
      this.destroy('client')   // it has closed its half, and Node the other
      return
    }
    this.deadlines.wrote = true
    this.outbox.flush()
  }

  /** So many events were sent. */
  protected count (events: number): void {
    this.#events += events
  }

  /** Too much waits for the take-over: it shall start now. */
  protected abstract hurry (): void

  /**
   * Sends text that is well-formed, or bytes.
   * @param isOwn whether that is told of the stream, and no send of the app's: what it has queued is not cut for it
   */
  protected send (bytes: string | Uint8Array, isOwn = false): Sent {
    const { outbox } = this
    if (outbox.isIdle) {
      if (this.#sendsAlone()) return this.#sendNow(bytes, isOwn)
      if (outbox.transport !== null) flushLater(this)
    } else {
      this.#sendsThisTurn = SEVERAL
    }
    if (typeof bytes === 'string' && outbox.takeEasily(bytes)) return overstayed() ? this.#inNextTurn() : true
    if (!isOwn && this.isFull && this.#overflows()) return false
    const sent = this.#add(bytes) ? outbox.room() : overstayed() ? this.#inNextTurn() : true
    if (outbox.isWorthAWrite) this.flush()
    return sent
  }

  // Once a turn, as tokens come: to gather for the end of the tick would cost 0.5 of 5 µs (2026-11).
  #sendNow (bytes: string | Uint8Array, isOwn: boolean): Sent {
    if (!isOwn && this.isFull && this.#overflows()) return false
    const sent = this.#add(bytes) ? this.outbox.room() : true
    this.endTick()
    return sent
  }

  // Answers whether there is no more room then.
  #add (bytes: string | Uint8Array): boolean {
    if (typeof bytes === 'string') this.outbox.addText(bytes)
    else this.outbox.addBytes(bytes)
    return this.outbox.isFull
  }

  async #inNextTurn (): Promise<boolean> {
    await nextTurn()
    return this.reason === null
  }

  // Whether it sent once in the last turn in which it did, and not yet in this one.
  #sendsAlone (): boolean {
    const turn = currentTurn()
    if (turn === this.#turn) {
      this.#sendsThisTurn = SEVERAL
      return false
    }
    const alone = this.#sendsThisTurn === 1
    this.#turn = turn
    this.#sendsThisTurn = 1
    return alone
  }

  // What is sent in one tick may be more than may wait for a client that is slow. Answers whether the connection has ended.
  #overflows (): boolean {
    this.hurry()
    if (this.isFull) this.flush()
    if (this.isFull) this.destroy('overflow')
    if (this.reason !== null) return true
    if (this.outbox.transport !== null) flushLater(this)   // the take-over may have been just now, and nobody else would
    return false
  }
}
