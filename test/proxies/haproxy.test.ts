/** haproxy, from Debian, in front of a server. */
import { once } from 'node:events'
import http2 from 'node:http2'
import t from 'tap'
import { startShown, withoutProxy } from '../support/proxy.ts'
import { frame, OPCODES, parseFrames } from '../support/raw-web-socket.ts'
import { start } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'
import { behind } from './behind.ts'

const skip = withoutProxy('haproxy')

await behind('haproxy', 'compression algo gzip')

await t.test('a WebSocket over HTTP/2 becomes one over HTTP/1.1 at haproxy', { skip }, async (t) => {
  const server = await start(t, (app) => { app.stream('/', { websocket: { handle: (message) => ({ reply: message }) } }) })
  const witness = new Witness(server.app)
  const proxy = await startShown(t, 'haproxy', { ports: [server.port] })
  const session = http2.connect(proxy.secureOrigin, { rejectUnauthorized: false })
  t.teardown(() => { session.destroy() })
  const [settings] = await once(session, 'remoteSettings') as [http2.Settings]
  t.equal(settings.enableConnectProtocol, true)
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' })
  t.teardown(() => { stream.destroy() })
  const received: Buffer[] = []
  stream.on('data', (bytes: Buffer) => { received.push(bytes) })
  const [{ ':status': status }] = await once(stream, 'response') as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader]
  t.equal(status, 200)
  stream.write(frame(OPCODES.text, 'over a stream'))
  await until(() => parseFrames(Buffer.concat(received)).length === 1)
  t.equal(parseFrames(Buffer.concat(received))[0]?.payload.toString(), 'over a stream')
  stream.close()
  await witness.sees(t, 'client')
})
