/** Whether somebody is at the other end of an HTTP/2 session: what comes from there shows it, on whichever of its streams. */
import type { Http2Session } from 'node:http2'
import { cut } from './sessions.ts'
import { SignsOfLife } from './signs-of-life.ts'

const hearings = new WeakMap<Http2Session, Hearing>()

// How long who has taken nothing of a stream is waited for where it is not asked otherwise, before all of the session is given up, ms.
const PATIENCE = 10_000

export class Hearing {
  readonly #session: Http2Session
  readonly #signs: SignsOfLife
  #doubt: NodeJS.Timeout | null = null
  #patience = PATIENCE

  private constructor (session: Http2Session, now: number) {
    this.#session = session
    this.#signs = new SignsOfLife(session.socket.bytesRead, now)
  }

  static of (session: Http2Session, now: number): Hearing {
    let hearing = hearings.get(session)
    if (hearing === undefined) hearings.set(session, hearing = new Hearing(session, now))
    return hearing
  }

  /**
   * As `Transport.probe`; each of the streams may look.
   * @param isWaiting whether bytes wait to be taken, which have a deadline of their own
   */
  look (now: number, heartbeat: number, isWaiting: boolean): 'asked' | 'timeout' | null {
    this.#patience = heartbeat
    if (isWaiting) return null
    const due = this.#signs.look(this.#session.socket.bytesRead, now, heartbeat)
    if (due === 'asked') this.#session.ping(() => {})
    return due
  }

  /** Whoever takes nothing of one stream may read another one; if nothing comes from there at all, the session ends. */
  doubt (): void {
    if (this.#doubt !== null) return
    const session = this.#session
    const { bytesRead } = session.socket
    const forget = () => { clearTimeout(timer) }
    const timer = this.#doubt = setTimeout(() => {
      this.#doubt = null
      session.removeListener('close', forget)
      if (!session.destroyed && session.socket.bytesRead === bytesRead) cut(session)
    }, this.#patience).unref()
    session.once('close', forget)
    session.ping(() => {})
  }
}
