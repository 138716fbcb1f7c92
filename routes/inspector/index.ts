/**
 * `pastelli/inspector`: a page that shows what the server's streams are doing, live, and its routes.
 * @module pastelli/inspector
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Limits } from '../../lib/connection/limits.ts'
import type { StreamOptions } from '../../lib/options.ts'
import { PST_ERR_CROSS_ORIGIN, PST_ERR_NO_CONNECTION, PST_ERR_QUERY } from '../../lib/errors.ts'
import { show } from '../../lib/options.ts'
import { kHost } from '../../lib/symbols.ts'
import type {} from '../../plugins/connections.ts'
import type {} from '../../plugins/host.ts'
import type {} from '../../plugins/reply.ts'
import type {} from '../../plugins/topics.ts'
import type {} from '../stream.ts'
import { declareActions, json } from './actions.ts'
import { connectionCells, connectionColumns, connectionDetail, connectionHas, topicCells, topicColumns, topicHas } from './columns.ts'
import { type InspectorOptions, parse } from './options.ts'
import { HEADERS, servePage } from './page.ts'
import { type Columns, paramsOf, parseQuery } from './query.ts'
import { isSameOrigin } from './same-origin.ts'
import { rowOf, type Snapshot } from './snapshot.ts'
import { Viewers } from './viewers.ts'
import type { Has, Views } from './views.ts'
import { watch } from './watch.ts'

// Streams of pages, which take no place of the app's: who looks because a server is full has to get in.
const MAX_VIEWERS = 100

/** Its page needs to hear that the line is alive; and `auth` is asked again from time to time. */
const STREAM: StreamOptions = {
  formats: ['event-stream'], compression: [], heartbeat: 5_000, heartbeatEvent: 'heartbeat', retry: 1_000, maxAge: 15 * 60_000, terminator: null
}

/**
 * The inspector, at the prefix that it is registered with.
 * @throws PST_ERR_INSECURE without `auth`, PST_ERR_OPTION
 */
async function inspector (fastify: FastifyInstance, options: InspectorOptions): Promise<void> {
  const { auth, interval } = parse(options)
  const { connections, topics } = fastify
  const host = fastify[kHost]
  const limits = [new Limits({ maxConnections: MAX_VIEWERS, maxConnectionsPerKey: Infinity })]
  fastify.decorate(kHost, { ...host, limits })
  const viewers = new Viewers(host, interval, fastify.log)

  fastify.addHook('onRequest', async (_request, reply) => { reply.headers(HEADERS) })
  for (const hook of auth) fastify.addHook('onRequest', hook)

  await fastify.register(async (scope) => { servePage(scope) })
  await fastify.register(async (scope) => {
    scope.addHook('onRequest', async (request) => { if (!isSameOrigin(request)) throw new PST_ERR_CROSS_ORIGIN() })
    declareActions(scope, connections, viewers.own, topics)
    const schema = { hide: true }

    scope.stream('/look', { ...STREAM, schema }, (_request, { connection }) => {
      viewers.own.add(connection)
      viewers.add(connection)
    })

    scope.stream('/watch', { ...STREAM, schema }, (request, { connection }) => {
      const topic = paramsOf(request.url).get('topic')
      if (topic === null || topic === '') throw new PST_ERR_QUERY('topic', 'the name of a topic', show(topic))
      viewers.own.add(connection)
      watch(topics.feed.log, topic, connection)
    })

    const declareList = <Row>(path: string, rows: (snapshot: Snapshot) => Views<Row>, columns: Columns<Row>, standard: string, has: Has<Row>, cells: (row: Row) => object) => {
      scope.get(path, { schema }, async (request: FastifyRequest, reply: FastifyReply) => {
        const { search, order, offset, limit } = parseQuery(request.url, columns, standard)
        const snapshot = await viewers.snapshot()
        const view = await viewers.slices.run(rows(snapshot).view(search, has, order))
        return json(reply, { at: snapshot.at, total: rows(snapshot).size, found: view.length, offset, rows: view.slice(offset, offset + limit).map(cells) })
      })
    }
    declareList('/connections', ({ connections }) => connections, connectionColumns, 'age', connectionHas, connectionCells)
    declareList('/topics', ({ topics }) => topics, topicColumns, 'name', topicHas, topicCells)

    scope.get('/connection', { schema }, async (request, reply) => {
      const id = paramsOf(request.url).get('id') ?? ''
      const connection = connections.get(id)
      if (connection === undefined || viewers.own.has(connection)) throw new PST_ERR_NO_CONNECTION(show(id))
      return json(reply, connectionDetail(rowOf(connection, topics.feed, undefined, 0), topics.feed.log.epoch))
    })
  })
}

/** The plugin, as `register` takes it: with `auth`, and a `prefix`. */
const plugin = fp(inspector, { name: 'pastelli/inspector', fastify: '5.x', dependencies: ['pastelli'], encapsulate: true })

export default plugin
export { plugin as inspector }
export type { InspectorOptions }
