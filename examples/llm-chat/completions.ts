/**
 * The endpoint that clients of chat completions expect.
 *
 *     POST /v1/chat/completions   with `stream: true` events, ended by [DONE]; else JSON
 *
 * @see https://platform.openai.com/docs/api-reference/chat
 */
import { randomUUID } from 'node:crypto'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Message, type Model, tokenize } from './model.ts'

interface Completion {
  messages: Array<{ role: string, content: unknown }>
  stream: boolean
  stream_options: { include_usage: boolean } | null
  max_tokens: number | null
  max_completion_tokens: number | null
}

type Finish = 'stop' | 'length'

const limit = { type: ['integer', 'null'], minimum: 1, default: null }
const completion = {
  type: 'object',
  required: ['messages'],
  properties: {
    messages: { type: 'array', minItems: 1, items: { type: 'object', required: ['role', 'content'], properties: { role: { type: 'string' } } } },
    stream: { type: 'boolean', default: false },
    stream_options: { type: ['object', 'null'], default: null, properties: { include_usage: { type: 'boolean', default: false } } },
    max_tokens: limit,
    max_completion_tokens: limit
  }
}

// What clients are told that can't be theirs to mend.
const FAILED = { error: { message: 'The model has failed', type: 'server_error', param: null, code: null } }

export default async function completions (app: FastifyInstance, { model }: { model: Model }): Promise<void> {
  app.stream<{ Body: Completion }>('/v1/chat/completions', {
    method: 'POST',
    schema: { body: completion },
    // Clients say that they accept JSON, and read events all the same.
    formats: ['event-stream'],
    terminator: '[DONE]',
    heartbeatEvent: null,   // they take every event for one of theirs
    retry: 0,
    errorData: () => FAILED,
    errorHandler: fail
  }, ({ body }, reply) => body.stream ? chunks(model, body, reply.connection.signal) : whole(model, body, reply.connection.signal))
}

async function * chunks (model: Model, body: Completion, signal: AbortSignal): AsyncGenerator<object> {
  const head = { id: `chatcmpl-${randomUUID()}`, object: 'chat.completion.chunk', created: now(), model: model.name }
  const chunk = (delta: object, finish: Finish | null) => ({ ...head, choices: [{ index: 0, delta, finish_reason: finish }] })
  let tokens = 0
  yield chunk({ role: 'assistant', content: '' }, null)
  for await (const { content, finish } of say(model, body, signal)) {
    yield chunk(finish === null ? { content } : {}, finish)
    if (finish === null) tokens++
  }
  if (body.stream_options?.include_usage === true) yield { ...head, choices: [], usage: usage(body, tokens) }
}

async function whole (model: Model, body: Completion, signal: AbortSignal): Promise<object> {
  const head = { id: `chatcmpl-${randomUUID()}`, object: 'chat.completion', created: now(), model: model.name }
  let text = ''
  let tokens = 0
  let why: Finish | null = null
  for await (const { content, finish } of say(model, body, signal)) {
    text += content
    why = finish
    if (finish === null) tokens++
  }
  const message = { role: 'assistant', content: text, refusal: null }
  return { ...head, choices: [{ index: 0, message, finish_reason: why }], usage: usage(body, tokens) }
}

/** Tokens, and at last why there are no more. */
async function * say (model: Model, { messages, max_completion_tokens: most, max_tokens: mostOnce }: Completion, signal: AbortSignal): AsyncGenerator<{ content: string, finish: Finish | null }> {
  let left = most ?? mostOnce ?? Infinity
  for await (const content of model.answer(messages.map(toMessage), signal)) {
    if (left-- === 0) {
      yield { content: '', finish: 'length' }
      return
    }
    yield { content, finish: null }
  }
  yield { content: '', finish: 'stop' }
}

function usage ({ messages }: Completion, tokens: number): object {
  const prompt = messages.reduce((sum, message) => sum + tokenize(toMessage(message).content).length, 0)
  return { prompt_tokens: prompt, completion_tokens: tokens, total_tokens: prompt + tokens }
}

// Content is text, or parts of which some are text.
function toMessage ({ role, content }: Completion['messages'][number]): Message {
  if (!Array.isArray(content)) return { role, content: typeof content === 'string' ? content : '' }
  return { role, content: (content as Array<{ text?: unknown }>).map(({ text }) => typeof text === 'string' ? text : '').join('') }
}

function fail (error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode: status = 500, message, code = null } = error
  reply.code(status)
  if (status >= 500) reply.log.error({ err: error }, 'the model has failed')
  reply.send(status >= 500 ? FAILED : { error: { message, type: 'invalid_request_error', param: null, code } })
}

// As this endpoint counts time, in seconds.
function now (): number {
  return Math.floor(Date.now() / 1_000)
}
