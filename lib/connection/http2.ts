/** HTTP/2: one stream of a session, which frames what it is given. The head is out. */
import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import { Hearing } from './hearing.ts'
import { cut } from './sessions.ts'
import type { Transport } from './transport.ts'
import { Written } from './written.ts'

// A sweep finds one stream of a session after the other: first it gives each its reason. ms
const UNTIL_ALL_KNOW = 1_000

export class Http2Transport extends Written<ServerHttp2Stream> implements Transport {
  readonly name = 'http2'
  // Nothing came from its other end, though it was asked.
  #isGone = false

  get writable (): boolean {
    return this.target.writable
  }

  end (): void {
    this.target.end()
  }

  // A stream that is reset stays on its session, which nobody may hear any more.
  destroy (): void {
    const session = this.#session
    this.target.close(constants.NGHTTP2_INTERNAL_ERROR)
    if (session === null) return
    if (this.#isGone) setTimeout(() => { cut(session) }, UNTIL_ALL_KNOW).unref()
    else Hearing.of(session, performance.now()).doubt()
  }

  probe (now: number, heartbeat: number): 'asked' | 'timeout' | null {
    const session = this.#session
    if (heartbeat === 0 || session === null) return null
    const due = Hearing.of(session, now).look(now, heartbeat, this.target.writableLength > this.slack)
    this.#isGone = due === 'timeout'
    return due
  }

  get #session (): Http2Session | null {
    const { session } = this.target
    return session === undefined || session.destroyed ? null : session
  }
}
