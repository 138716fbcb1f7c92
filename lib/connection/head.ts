/** What the head of a stream says: its type, its coding, and what caches and proxies shall not do with it. */
import type { Settings } from '../options.ts'
import type { Coding } from './coding.ts'
import type { Connection } from './connection.ts'

interface Head {
  getHeader: (name: string) => unknown
  hasHeader: (name: string) => boolean
}

type SetHeader = (name: string, value: string) => unknown

/** What is needed of Fastify's reply. */
export interface HeadOfReply extends Head {
  header: SetHeader
}

/** What a stream says of itself, unless the app has said otherwise. */
export function setStreamHeaders (reply: HeadOfReply, { contentType, isNegotiated }: Pick<Connection, 'contentType' | 'isNegotiated'>): void {
  if (contentType !== null && !reply.hasHeader('content-type')) {
    reply.header('content-type', contentType)
    if (isNegotiated) varyBy(reply, (name, value) => reply.header(name, value), 'Accept')
  }
  // What a proxy compresses it may hold back until it is worth it: haproxy does, and so a stream would never arrive.
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-cache, no-transform')
  // nginx would hold back even the head.
  if (!reply.hasHeader('x-accel-buffering')) reply.header('x-accel-buffering', 'no')
}

/**
 * What a stream is compressed with, if it is; then its head says so. Bytes that have a coding already, or a length, stay
 * as they are.
 * @param coding what the client takes of those that there are
 */
export function encode (head: Head, set: SetHeader, coding: Coding | null, { compression }: Pick<Settings, 'compression'>): Coding | null {
  if (compression.length === 0 || head.hasHeader('content-encoding') || head.hasHeader('content-length')) return null
  varyBy(head, set, 'Accept-Encoding')
  if (coding !== null) set('content-encoding', coding)
  return coding
}

// Tells caches that a client that says something else there may get something else.
function varyBy (head: Head, set: SetHeader, name: string): void {
  const vary = head.getHeader('vary')
  const fields = vary === undefined ? [] : String(vary).split(',').map((field) => field.trim())
  if (fields.includes('*') || fields.some((field) => field.toLowerCase() === name.toLowerCase())) return
  set('vary', [...fields, name].join(', '))
}
