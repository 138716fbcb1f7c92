/** The same two routes, `autocannon-server.js bare` by Fastify alone and `autocannon-server.js pastelli` with the plugin. */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import pastelli from '../index.ts'
import { answer } from './child.ts'

const LIFETIME = 30 * 60_000

const app = fastify()
if (process.argv[2] === 'pastelli') {
  await app.register(pastelli)
  app.stream('/stream', (_request, reply) => {
    reply.event('open')
    reply.event({ hello: 'world' })
    reply.closeChunk()
  })
} else {
  app.get('/stream', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' })
    reply.raw.write('data: open\n\n')
    reply.raw.write('data: {"hello":"world"}\n\n')
    reply.raw.end()
  })
}
app.get('/plain', () => ({ hello: 'world' }))

await app.listen({ port: 0, host: '127.0.0.1' })
answer({
  port: () => (app.server.address() as AddressInfo).port,
  cpu: () => process.cpuUsage()
}, LIFETIME)
