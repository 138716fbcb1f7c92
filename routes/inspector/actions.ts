/** What can be done from the page: to close a connection, to publish a test event. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Registry } from '../../lib/connection/registry.ts'
import { PST_ERR_NO_CONNECTION, PST_ERR_QUERY, PST_ERR_TOPIC } from '../../lib/errors.ts'
import { show } from '../../lib/options.ts'
import type { Topics } from '../../lib/topics/topics.ts'
import type { Own } from './own.ts'

type Fields = Readonly<Record<string, unknown>>

// A page of another origin can't send it without asking first.
const JSON_ONLY = 'application/json'

export function declareActions (fastify: FastifyInstance, registry: Registry, own: Own, topics: Topics): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser(JSON_ONLY, { parseAs: 'string' }, fastify.getDefaultJsonParser('error', 'error'))
  const schema = { hide: true }

  fastify.post('/close', { schema }, async ({ body, log }, reply) => {
    const fields = fieldsOf(body, ['id', 'cut'])
    const id = textOf(fields, 'id')
    const cut = flagOf(fields, 'cut')
    const connection = registry.get(id)
    if (connection === undefined || own.has(connection)) throw new PST_ERR_NO_CONNECTION(show(id))
    log.info({ connection: id, cut }, 'a connection is closed from the inspector')
    if (cut) connection.destroy()
    else connection.close()
    return nothing(reply)
  })

  fastify.post('/publish', { schema }, async ({ body, log }, reply) => {
    const fields = fieldsOf(body, ['topic', 'event', 'data', 'json'])
    const topic = textOf(fields, 'topic')
    const event = fields['event'] === undefined ? undefined : textOf(fields, 'event')
    const text = textOf(fields, 'data')
    const data = flagOf(fields, 'json') ? parseJson(text) : text
    log.info({ topic, event }, 'an event is published from the inspector')
    const id = await publish(topics, topic, data, event)
    return json(reply, { id })
  })
}

/** As text: an app may have a serializer of its own. */
export function json (reply: FastifyReply, answer: object): FastifyReply {
  return reply.header('cache-control', 'private, no-store').type('application/json; charset=utf-8').send(JSON.stringify(answer))
}

function nothing (reply: FastifyReply): FastifyReply {
  return reply.code(204).send()
}

// What the app's own code does wrong with it is its fault; here it is the request's.
function publish (topics: Topics, topic: string, data: unknown, event: string | undefined): string | Promise<string> {
  try {
    return topics.publish(topic, data, { event })
  } catch (error) {
    throw new PST_ERR_QUERY(error instanceof PST_ERR_TOPIC ? 'topic' : 'event', 'what can be published', (error as Error).message)
  }
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new PST_ERR_QUERY('data', 'JSON', (error as Error).message)
  }
}

// Not by a schema: the app's validator may know another kind.
function fieldsOf (body: unknown, known: readonly string[]): Fields {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new PST_ERR_QUERY('body', 'an object, as application/json', show(body))
  for (const name of Object.keys(body)) if (!known.includes(name)) throw new PST_ERR_QUERY(name, `one of ${known.join(', ')}`, 'an unknown field')
  return body as Fields
}

function textOf (fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw new PST_ERR_QUERY(name, 'text', show(value))
  return value
}

function flagOf (fields: Fields, name: string): boolean {
  const value = fields[name] ?? false
  if (typeof value !== 'boolean') throw new PST_ERR_QUERY(name, 'true or false', show(value))
  return value
}
