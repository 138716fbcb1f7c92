/** HTTP/2: one stream of a session, which frames what it is given. The head is out. */
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { PlainTransport } from './transport.ts'
import { Written } from './written.ts'

export class Http2Transport extends Written<ServerHttp2Stream> implements PlainTransport {
  readonly name = 'http2'

  get writable (): boolean {
    return this.target.writable
  }

  end (): void {
    this.target.end()
  }

  destroy (): void {
    this.target.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}
