/** nginx, from Debian, in front of a server. */
import t from 'tap'
import { startBare, startShown, withoutProxy } from '../support/proxy.ts'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { subscribe } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { behind } from './behind.ts'

const skip = withoutProxy('nginx')

await behind('nginx', 'gzip on; gzip_proxied any; gzip_comp_level 9; gzip_types text/event-stream text/plain application/x-ndjson;')

await t.test('nginx as it is asks by HTTP/1.0, and gets the same events', { skip }, async (t) => {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const proxy = await startBare(t, 'nginx', { ports: [server.port] })
  const client = await subscribe(t, proxy.origin, '/')
  const [connection] = server.app.connections
  t.equal(connection?.transport, 'response', 'which has no chunks')
  const id = server.app.topics.publish('a', 'old')
  await client.until('data: old\n\n')
  t.equal(client.lastEventId, id)
  await server.app.close()
  await client.ended()
})

await t.test('by HTTP/1.0 a stream that is cut looks to nginx like one that has ended; with the file that is shown it does not', { skip }, async (t) => {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  for (const [startProxy, complete] of [[startBare, true], [startShown, false]] as const) {
    const proxy = await startProxy(t, 'nginx', { ports: [server.port] })
    const client = (await connect(t, proxy.port)).get('/')
    await client.until('id: ')
    for (const connection of server.app.connections) connection.destroy()
    await until(() => client.isEnded || client.response.complete)
    t.equal(client.response.complete, complete)
  }
})

await t.test('nginx that caches whatever it may gives each client a stream of its own', { skip }, async (t) => {
  const server = await start(t, (app) => { app.stream('/', { topics: 'a' }) })
  const cache = 'proxy_cache_path cache keys_zone=all:1m; proxy_cache all; proxy_cache_valid any 1h; proxy_cache_lock on;'
  const proxy = await startBare(t, 'nginx', { ports: [server.port], more: cache })
  const first = await subscribe(t, proxy.origin, '/')
  const second = await subscribe(t, proxy.origin, '/')
  await until(() => server.app.connections.size === 2)
  server.app.topics.publish('a', 'to both')
  await first.until('data: to both\n\n')
  await second.until('data: to both\n\n')
})
