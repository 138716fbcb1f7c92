/**
 * The endpoint that the AI SDK's chats talk to, with their UI message stream protocol.
 *
 *     POST /api/chat   the conversation in, the parts of the next message out, ended by [DONE]
 *
 * @see https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
 */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Message, Model } from './model.ts'

interface Chat { messages: Array<{ role: string, parts: Array<{ type: string, text?: string }> }> }

const part = { type: 'object', required: ['type'], properties: { type: { type: 'string' }, text: { type: 'string' } } }
const message = { type: 'object', required: ['role', 'parts'], properties: { role: { type: 'string' }, parts: { type: 'array', items: part } } }
const chat = { type: 'object', required: ['messages'], properties: { messages: { type: 'array', minItems: 1, items: message } } }

export default async function uiMessages (app: FastifyInstance, { model }: { model: Model }): Promise<void> {
  app.stream<{ Body: Chat }>('/api/chat', {
    method: 'POST',
    schema: { body: chat },
    formats: ['event-stream'],
    terminator: '[DONE]',
    heartbeatEvent: null,   // they take every event for one of theirs
    retry: 0,
    errorData: () => ({ type: 'error', errorText: 'The model has failed' })
  }, async function * ({ body }, reply) {
    reply.header('x-vercel-ai-ui-message-stream', 'v1')
    const id = randomUUID()
    yield { type: 'start', messageId: randomUUID() }
    yield { type: 'text-start', id }
    for await (const delta of model.answer(body.messages.map(toMessage), reply.connection.signal)) yield { type: 'text-delta', id, delta }
    yield { type: 'text-end', id }
    yield { type: 'finish' }
  })
}

function toMessage ({ role, parts }: Chat['messages'][number]): Message {
  return { role, content: parts.map(({ type, text = '' }) => type === 'text' ? text : '').join('') }
}
