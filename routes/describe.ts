/** How a stream route is described in an OpenAPI document. */
import type { FastifySchema, RouteOptions } from 'fastify'
import { kHost } from '../lib/symbols.ts'

/** What @fastify/swagger gives to a transform, and what it takes from it. */
interface Described { schema?: FastifySchema | undefined, url: string, route: RouteOptions, openapiObject?: { openapi?: string } }

interface Media { schema: object, itemSchema?: object }

/**
 * Describes a stream's response: what its formats are, and the events that its schema declares. OpenAPI 3.2 has `itemSchema`
 * for it; documents of older versions get the same as `x-itemSchema`.
 * @see https://spec.openapis.org/oas/v3.2.0#sequential-media-types
 */
export function describeStream ({ schema = {}, url, route, openapiObject }: Described): { schema: FastifySchema, url: string } {
  const { events, ...rest } = schema
  const host = route.config?.[kHost]
  if (host === undefined || openapiObject === undefined) return { schema: rest, url }
  const hasItems = /^3\.(?:[2-9]|\d\d)/.test(openapiObject.openapi ?? '')
  const content = Object.fromEntries(host.formats.types.map((type) => [type, describe(type, events ?? null, hasItems)]))
  const response = { 200: { description: 'A stream of events', content }, ...rest.response as object }
  return { schema: { ...rest, response }, url }
}

function describe (type: string, events: Readonly<Record<string, unknown>> | null, hasItems: boolean): Media {
  if (type === 'text/plain') return { schema: { type: 'string' } }
  const items = type === 'text/event-stream' ? eventSchema(events) : itemSchema(events)
  if (type === 'application/json') return { schema: { type: 'array', items } }
  return hasItems ? { schema: { type: 'string' }, itemSchema: items } : { schema: { type: 'string', 'x-itemSchema': items } }
}

// An event as a client reads it off the event stream.
function eventSchema (events: Readonly<Record<string, unknown>> | null): object {
  const id = { type: 'string', description: 'The position to resume from' }
  if (events === null) return { type: 'object', properties: { event: { type: 'string' }, id, data: {} }, required: ['data'] }
  return oneOf(Object.entries(events).map(([event, data]) => ({ type: 'object', properties: { event: { type: 'string', enum: [event] }, id, data }, required: ['data'] })))
}

// A value in a sequence of JSON: the data, or what has a type or an id.
function itemSchema (events: Readonly<Record<string, unknown>> | null): object {
  if (events === null) return {}
  return oneOf(Object.entries(events).map(([event, data]) => {
    if (event === 'message') return data as object
    return { type: 'object', properties: { event: { type: 'string', enum: [event] }, id: { type: 'string' }, data }, required: ['event', 'data'] }
  }))
}

function oneOf (schemas: object[]): object {
  return schemas.length === 1 ? schemas[0] as object : { oneOf: schemas }
}
