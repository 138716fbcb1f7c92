/** Streams that nothing is sent on: `/bare`, `/subscribed` to one topic, and each with a topic of its `/own`. Run with `--expose-gc`. */
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import pastelli from '../index.ts'
import { answer } from './child.ts'

const LIFETIME = 60_000

let topics = 0

const app = fastify()
await app.register(pastelli)
app.stream('/bare', () => {})
app.stream('/subscribed', { topics: 'feed' })
app.stream('/own', { topics: () => `topic-${topics++}` })
await app.listen({ port: 0, host: '127.0.0.1' })

answer({
  port: () => (app.server.address() as AddressInfo).port,
  rss: settledRss
}, LIFETIME)

async function settledRss (): Promise<number> {
  for (let i = 0; i < 3; i++) {
    global.gc?.()
    await delay(100)
  }
  return process.memoryUsage.rss()
}
