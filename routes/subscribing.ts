/** What a route's connections are subscribed to from the start. */
import type { FastifyRequest } from 'fastify'
import type { Connection } from '../lib/connection/connection.ts'
import { PST_ERR_OPTION } from '../lib/errors.ts'
import { checkTopics, type TopicName } from '../lib/topics/topics.ts'

/** What the stream is subscribed to before its handler runs. */
export type RouteTopics<Request> = TopicName | readonly TopicName[] | ((request: Request) => TopicName | readonly TopicName[] | Promise<TopicName | readonly TopicName[]>)

/** @throws PST_ERR_OPTION, PST_ERR_TOPIC */
export function checkRouteTopics (topics: unknown): void {
  if (typeof topics === 'function') return
  if (typeof topics !== 'string' && !Array.isArray(topics)) throw new PST_ERR_OPTION('topics', 'a topic, an array of them, or a function from a request to them', typeof topics)
  checkTopics(topics as string | string[])
}

/** @throws PST_ERR_TOPIC, PST_ERR_FORBIDDEN */
export function subscribeTo (topics: RouteTopics<FastifyRequest>, request: FastifyRequest, connection: Connection): void | Promise<void> {
  const named = typeof topics === 'function' ? topics(request) : topics
  return named instanceof Promise ? named.then((names) => connection.subscribe(names)) : connection.subscribe(named)
}
