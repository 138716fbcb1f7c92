/** What a request asks to be upgraded to. */
import type { IncomingHttpHeaders } from 'node:http'

/** [RFC 6455, 4.2.1] Clients of HTTP also offer `h2c`, and go on without it. */
export function asksForWebSocket ({ upgrade }: IncomingHttpHeaders): boolean {
  return upgrade?.toLowerCase() === 'websocket'
}
