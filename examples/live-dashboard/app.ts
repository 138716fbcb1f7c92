/**
 * A page of this process's own figures: measured a few times a second, published on two topics, drawn as they come.
 *
 *     GET  /figures   both topics on one connection: process, connections
 *     POST /cut       cuts every connection, to see what becomes of the page
 *
 * A page that lost its connection gets the points that it missed from the topics' log: its browser tells where it was.
 * The log is gone when the process is, and with it what was measured meanwhile: then the page is sent a `gap`. Points are
 * numbered, so that it need not take our word for either.
 */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import files from '@fastify/static'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import pastelli, { memoryLog } from 'pastelli'
import pages from '../pastel/pages.ts'
import { feed, type FeedOptions } from './feed.ts'
import { connectionsMeter, processMeter } from './figures.ts'

const TOPICS = ['process', 'connections']

export async function buildApp (options: FeedOptions = {}, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify(server)
  await app.register(pastelli, {
    // Come back a second after a stream broke.
    retry: 1_000,
    // A heartbeat that the page can hear: when it stays away, the line is dead, though nobody closed it.
    heartbeat: 5_000,
    heartbeatEvent: 'heartbeat',
    // As much as the charts show: a page may be away for so long, and a newcomer starts with full ones.
    log: memoryLog({ age: 120_000 })
  })
  await app.register(pages, { example: 'live-dashboard' })
  await app.register(files, { root: dirname(fileURLToPath(import.meta.resolve('uplot'))), prefix: '/uplot/', decorateReply: false })

  feed(app, { process: processMeter(), connections: connectionsMeter(app.connections) }, options)

  app.stream('/figures', { topics: TOPICS }, (_request, reply) => {
    // Who comes for the first time sees all that is retained; who comes back goes on from where they were.
    reply.connection.subscribe(TOPICS, { after: 'earliest' })
  })

  app.post('/cut', async (_request, reply) => {
    for (const connection of app.connections) connection.destroy()
    return reply.code(204).send()
  })

  app.get('/', async (_request, reply) => reply.sendFile('dashboard.html'))
  return app
}
