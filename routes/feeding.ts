/** What the handler of a stream route returns: a source becomes the stream, anything else is an answer of its own. */
import type { FastifyReply, RouteOptions } from 'fastify'
import { JSON_CONTENT_TYPE } from '../lib/connection/formats.ts'
import { setStreamHeaders } from '../lib/connection/head.ts'
import { answerWith } from '../lib/source/answer.ts'
import { collect } from '../lib/source/collect.ts'
import { dismiss } from '../lib/source/pipe.ts'
import { isResponse, type Source, toSource } from '../lib/source/source.ts'
import { isThenable } from '../lib/thenable.ts'

type Handler = RouteOptions['handler']

/** The handler, and what becomes of what it returns. */
export function feeding (handler: Handler): Handler {
  return function (request, reply) {
    const result = handler.call(this, request, reply) as unknown
    if (result !== reply && isThenable(result)) return Promise.resolve(result).then((value) => answer(reply, value))
    return answer(reply, result)
  }
}

function answer (reply: FastifyReply, result: unknown): unknown {
  const { connection } = reply
  const source = result === reply ? null : toSource(result)
  if (source === null) {
    if (result === undefined && connection.wantsJson && !reply.sent) throw connection.refusal
    return result
  }
  const opening = () => { if (isResponse(result)) copyHead(reply, result) }
  if (isResponse(result) && result.headers.has('content-type')) return answerWith(connection, source, opening)
  if (connection.wantsJson) return collected(reply, source, opening)
  if (connection.isRefused) {
    dismiss(connection, source)
    throw connection.refusal
  }
  return answerWith(connection, source, opening)
}

// For a client that can't stream, all of it at once.
async function collected (reply: FastifyReply, source: Source, opening: () => void): Promise<string | undefined> {
  const { connection } = reply
  const json = await collect(connection, source, connection.settings.maxBuffered)
  if (json === null) return undefined   // the client has left
  opening()
  setStreamHeaders(reply, { contentType: JSON_CONTENT_TYPE, isNegotiated: connection.isNegotiated })
  return json
}

// What a fetched response says of itself, unless the app has said otherwise.
function copyHead (reply: FastifyReply, { status, headers }: Response): void {
  const type = headers.get('content-type')
  if (type !== null && !reply.hasHeader('content-type')) reply.type(type)
  if (reply.statusCode === 200) reply.code(status)
}
