/**
 * One of three nodes, which are one app: what is published at any of them comes on all of their streams, in one order.
 *
 *     GET  /beats              the numbers, and how the nodes are
 *     POST /nodes/:name/kill   asks for the death of a node
 *
 * A page whose node dies comes back through the balancer, to another node, with the id of the last event that it has.
 */
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import pastelli from 'pastelli'
import type { Log } from 'pastelli/redis'
import pages from '../pastel/pages.ts'
import { beat, BEATS } from './beats.ts'
import { NAMES, ROLL, type Roll } from './roll.ts'

export interface NodeOptions {
  name: string
  log: Log
  /** Kills the node of this name, which may be this one. */
  kill: (name: string) => void
}

export async function buildApp ({ name, log, kill }: NodeOptions, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify(server)
  await app.register(pastelli, {
    log,
    // Come back at once: somebody else is there.
    retry: 250,
    // A heartbeat that the page can hear: when it stays away, the line is dead, though nobody closed it.
    heartbeat: 5_000,
    heartbeatEvent: 'heartbeat'
  })
  await app.register(pages, { example: 'cluster' })
  await beat(app, log, name)

  let roll: Roll = []
  const unfollow = log.follow((record) => { if (record.topic === ROLL) roll = record.payload as Roll })
  app.addHook('onClose', async () => { await unfollow() })

  app.stream('/beats', { topics: [BEATS, ROLL] }, (_request, reply) => {
    reply.event({ by: name, roll }, { event: 'served' })
  })

  app.post<{ Params: { name: string } }>('/nodes/:name/kill', {
    schema: { params: { type: 'object', properties: { name: { enum: NAMES } } } },
    onResponse: async ({ params }) => { if (NAMES.includes(params.name)) kill(params.name) }
  }, async (_request, reply) => reply.code(202).send())

  app.get('/', async (_request, reply) => reply.sendFile('cluster.html'))
  return app
}
